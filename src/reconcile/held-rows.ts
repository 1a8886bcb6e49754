// Which of a node's rows its kernel really holds, by policy: what the node acknowledges.

import { present } from "../lib/assert.ts";
import type { RowSum } from "../model/row-sum.ts";
import { prefixAddress } from "../net/prefix.ts";
import type { MapRow } from "../plan/map-layout.ts";
import type { Row } from "../plan/row.ts";
import { RowDigest } from "../plan/row-digest.ts";

/**
 * Counts the entries that a wanted row has, each as the kernel has it, so that another gateway
 * shows in the digest. Entries that nobody wants (lame ducks, strangers') count for no policy. Fed
 * one by one, all wanted rows first, so that a large map need not be counted in one go.
 */
export class HeldRows {
  readonly #policies = new Map<string, string>();
  readonly #digests = new Map<string, RowDigest>();

  want({ source, destination, policy }: Row): void {
    this.#policies.set(source + destination, policy);
    if (!this.#digests.has(policy)) this.#digests.set(policy, new RowDigest());
  }

  see({ source: prefix, destination, gatewayIP }: MapRow): void {
    const source = prefixAddress(prefix);
    const policy = this.#policies.get(source + destination);
    if (policy === undefined) return;
    present(this.#digests.get(policy), "a digest").add({ source, destination, gatewayIP });
  }

  /** Of every policy that a wanted row has, also without any entry. */
  sums(): Map<string, RowSum> {
    return new Map([...this.#digests].map(([policy, { sum }]) => [policy, sum]));
  }
}
