// Reads a Namespace, of which only the labels matter (rule 3.2).

import type { Labels } from "../labels.ts";
import { internLabels } from "../labels.ts";
import type { RawObject } from "./metadata.ts";

/** Every API server sets it to the namespace's name, whatever was written; files seldom have it. */
const METADATA_NAME_LABEL = "kubernetes.io/metadata.name";

export function parseNamespace({ metadata, name }: RawObject): Labels {
  return internLabels([...metadata.stringMap("labels"), [METADATA_NAME_LABEL, name]]);
}
