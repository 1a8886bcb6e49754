// Who had an address last, also when that endpoint is gone and over restarts: a successor must
// start without the former one's connections (rule 8.10).

import { join } from "node:path";
import type { EndpointKey } from "../../model/endpoint.ts";
import type { Address } from "../../net/address.ts";
import { readState, writeState } from "./state-file.ts";

const FILE = "address-owners.json";
/** Addresses remembered; the ones noted longest ago are forgotten first. */
const OWNERS_MAX = 200_000;

export interface Owner {
  readonly key: EndpointKey;
  /** It lives on this node. */
  readonly here: boolean;
  /** Policies select it. */
  readonly selected: boolean;
}

/** Older files do not say whether policies selected it. */
type Stored = readonly (readonly [Address, EndpointKey, selected?: boolean])[];

export class AddressOwners {
  readonly #path: string;
  /** `selected`: policies selected it at any time, so it may have flows through gateways. */
  readonly #owners = new Map<Address, { readonly key: EndpointKey; readonly selected: boolean }>();
  #dirty = false;

  /** Reads what an earlier process left in `directory`. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
    for (const [address, key, selected = true] of (readState(this.#path) ?? []) as Stored) {
      this.#owners.set(address, { key, selected });
    }
  }

  /**
   * Notes who has an address now; true if it was somebody else's whose flows bind this one's: the
   * former's may go through gateways, or on the direct path where this one's may not. An endpoint
   * of another node that no policy selects has none here, and is not remembered.
   */
  note(address: Address, { key, here, selected }: Owner): boolean {
    const former = this.#owners.get(address);
    const same = former?.key === key;
    if (same && (former.selected || !selected)) return false;
    if (former === undefined && !here && !selected) return false;
    this.#owners.delete(address);
    if (here || selected) this.#owners.set(address, { key, selected });
    this.#dirty = true;
    if (this.#owners.size > OWNERS_MAX) {
      const [oldest] = this.#owners.keys();
      if (oldest !== undefined) this.#owners.delete(oldest);
    }
    return former !== undefined && !same && (former.selected || selected);
  }

  /** Writes the file if something changed. O(addresses). Throws OperationError. */
  save(): void {
    if (!this.#dirty) return;
    const stored: Stored = [...this.#owners].map(([address, one]) => {
      return [address, one.key, one.selected];
    });
    writeState(this.#path, stored);
    this.#dirty = false;
  }
}
