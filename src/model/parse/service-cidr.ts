// Reads a ServiceCIDR: prefixes that cluster IPs are taken from (rule 8.2).

import type { Prefix } from "../../net/prefix.ts";
import type { RawObject } from "./metadata.ts";
import { readPrefixes, uniquePrefixes } from "./network.ts";

/** `spec.cidrs`: one prefix, or one of each family. */
export function parseServiceCidr({ root }: RawObject): readonly Prefix[] {
  const spec = root.fields("spec");
  const before = root.noted;
  const cidrs = uniquePrefixes(readPrefixes(spec, "cidrs"));
  if (cidrs.length === 0 && root.noted === before) {
    spec.note("MissingField", "a ServiceCIDR needs a prefix; write one like 10.96.0.0/16", "cidrs");
  }
  return cidrs;
}
