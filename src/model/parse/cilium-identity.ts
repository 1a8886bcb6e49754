// Reads a CiliumIdentity: the labels that all endpoints of one identity have (rule 3.2).

import { compareBytes } from "../../lib/order.ts";
import type { Labels } from "../labels.ts";
import { internLabels } from "../labels.ts";
import type { RawObject } from "./metadata.ts";

/** Sources whose labels go by their bare key; those of others by `source.key`. */
const BARE_SOURCES = ["k8s", "any", "unspec", ""];

/** `security-labels`, keyed as Cilium's Labels.K8sStringMap does. */
export function parseCiliumIdentity({ root }: RawObject): Labels {
  const pairs = root.stringMap("security-labels");
  // Two sources may have one key; in a fixed order, the object's own does not matter.
  pairs.sort((a, b) => compareBytes(a[0], b[0]));
  return internLabels(pairs.map(([key, value]) => [keyWithoutSource(key), value]));
}

function keyWithoutSource(text: string): string {
  const colon = text.indexOf(":");
  const source = text.slice(0, Math.max(colon, 0));
  const key = text.slice(colon + 1);
  return BARE_SOURCES.includes(source) ? key : `${source}.${key}`;
}
