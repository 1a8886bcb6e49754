// A longest-prefix-match table: the naive shape of the kernel's BPF_MAP_TYPE_LPM_TRIE, one hash
// table per prefix length. Lookups are O(distinct lengths); meant for questions, not for packets.

import type { Address } from "./address.ts";
import type { Prefix } from "./prefix.ts";
import { prefixLength, prefixOf } from "./prefix.ts";

export class LpmTable<V> {
  readonly #byLength = new Map<number, Map<Prefix, V>>();

  /** Sets the value of exactly this prefix. */
  set(prefix: Prefix, value: V): void {
    const length = prefixLength(prefix);
    let table = this.#byLength.get(length);
    if (table === undefined) this.#byLength.set(length, (table = new Map()));
    table.set(prefix, value);
  }

  /** Everything that covers `address`, the longest prefix first; the first one wins (rule 7.3). */
  covering(address: Address): { prefix: Prefix; value: V }[] {
    const hits: { prefix: Prefix; value: V }[] = [];
    const lengths = [...this.#byLength.keys()].sort((a, b) => b - a);
    for (const length of lengths) {
      if (length > address.length * 8) continue;
      const prefix = prefixOf(address, length);
      const value = this.#byLength.get(length)?.get(prefix);
      if (value !== undefined) hits.push({ prefix, value });
    }
    return hits;
  }

  /** The longest prefix that covers `address`, or undefined. */
  lookup(address: Address): { prefix: Prefix; value: V } | undefined {
    return this.covering(address)[0];
  }
}
