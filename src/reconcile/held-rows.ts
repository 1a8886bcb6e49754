// Which of a node's rows its kernel really holds, by policy: what the node acknowledges.

import { present } from "../lib/assert.ts";
import type { RowSum } from "../model/row-sum.ts";
import { prefixAddress } from "../net/prefix.ts";
import type { MapRow } from "../plan/map-layout.ts";
import type { Row } from "../plan/row.ts";
import { RowDigest } from "../plan/row-digest.ts";

/**
 * Counts the entries that a wanted row has, each as the kernel has it, so that another gateway
 * shows in the digest. Entries that nobody wants (lame ducks, strangers') count for no policy.
 * Every policy of `wanted` is there, also without any entry. O(rows).
 */
export function sumHeldRows(
  wanted: Iterable<Row>,
  entries: Iterable<MapRow>,
): Map<string, RowSum> {
  const policies = new Map<string, string>();
  const digests = new Map<string, RowDigest>();
  for (const { source, destination, policy } of wanted) {
    policies.set(source + destination, policy);
    if (!digests.has(policy)) digests.set(policy, new RowDigest());
  }
  for (const { source: prefix, destination, gatewayIP } of entries) {
    const source = prefixAddress(prefix);
    const policy = policies.get(source + destination);
    if (policy === undefined) continue;
    present(digests.get(policy), "a digest").add({ source, destination, gatewayIP });
  }
  return new Map([...digests].map(([policy, { sum }]) => [policy, sum]));
}
