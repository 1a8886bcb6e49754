// Small numbers for addresses, as marks carry them. A number that a connection may still hold must
// never mean another address, so an address keeps its number when nobody names it any more, and
// numbers are given again only when none is left.

import { assert } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import type { IndexedAddress } from "./datapath.ts";
import { INDEX_MAX } from "./mark.ts";

export class IndexTable {
  readonly #indexes = new Map<Address, number>();
  readonly #addresses = new Map<number, Address>();
  /** Addresses that nobody names, the one that has been alone longest first. */
  readonly #idle = new Set<Address>();
  #next = 1;

  /** `adopted`: what the kernel still holds from an earlier process. */
  constructor(adopted: Iterable<IndexedAddress> = []) {
    for (const { index, address } of adopted) {
      if (index < 1 || index > INDEX_MAX) continue;
      if (this.#addresses.has(index) || this.#indexes.has(address)) continue;
      this.#set(index, address);
      this.#idle.add(address);
    }
  }

  /**
   * Names the addresses that are in use now. Gives those that lost their number to another, whose
   * connections must be forgotten; more than `INDEX_MAX` in use is a programmer error.
   */
  use(addresses: ReadonlySet<Address>): readonly IndexedAddress[] {
    assert(addresses.size <= INDEX_MAX, "a mark has room for every gateway and egress IP");
    for (const address of this.#indexes.keys()) {
      if (!addresses.has(address)) this.#idle.add(address);
    }
    const evicted: IndexedAddress[] = [];
    for (const address of addresses) {
      this.#idle.delete(address);
      if (this.#indexes.has(address)) continue;
      const index = this.#free() ?? this.#evict(evicted);
      this.#set(index, address);
    }
    return evicted;
  }

  indexOf(address: Address): number | undefined {
    return this.#indexes.get(address);
  }

  /** Every address that has a number, idle ones included, by number. */
  entries(): readonly IndexedAddress[] {
    const entries = [...this.#addresses].map(([index, address]) => ({ index, address }));
    return entries.sort((a, b) => a.index - b.index);
  }

  #set(index: number, address: Address): void {
    this.#indexes.set(address, index);
    this.#addresses.set(index, address);
  }

  #free(): number | undefined {
    while (this.#next <= INDEX_MAX && this.#addresses.has(this.#next)) this.#next++;
    return this.#next <= INDEX_MAX ? this.#next : undefined;
  }

  #evict(evicted: IndexedAddress[]): number {
    const [address] = this.#idle;
    assert(address !== undefined, "an idle address where all numbers are given");
    const index = this.#indexes.get(address) ?? 0;
    this.#idle.delete(address);
    this.#indexes.delete(address);
    this.#addresses.delete(index);
    evicted.push({ index, address });
    return index;
  }
}
