// Reads one of Calico's IPPools: a prefix that addresses of pods are taken from (rule 8.2). A
// disabled pool gives no more addresses, but pods may still have some of it.

import type { Prefix } from "../../net/prefix.ts";
import type { RawObject } from "./metadata.ts";
import { readPrefix, uniquePrefixes } from "./network.ts";

/** `spec.cidr`, as a list of one. */
export function parseIPPool({ root }: RawObject): readonly Prefix[] {
  const spec = root.fields("spec");
  const before = root.noted;
  const cidr = uniquePrefixes(readPrefix(spec, "cidr"));
  if (cidr.length === 0 && root.noted === before) {
    spec.note("MissingField", "an IPPool needs a prefix; write one like 10.244.0.0/16", "cidr");
  }
  return cidr;
}
