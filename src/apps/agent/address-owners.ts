// Who had an address last, also when that endpoint is gone and over restarts: a successor must
// start without the former one's connections (rule 8.10).

import { join } from "node:path";
import type { EndpointKey } from "../../model/endpoint.ts";
import type { Address } from "../../net/address.ts";
import { readState, writeState } from "./state-file.ts";

const FILE = "address-owners.json";
/** Addresses remembered; the ones noted longest ago are forgotten first. */
const OWNERS_MAX = 200_000;

type Stored = readonly (readonly [Address, EndpointKey])[];

export class AddressOwners {
  readonly #path: string;
  readonly #owners: Map<Address, EndpointKey>;
  #dirty = false;

  /** Reads what an earlier process left in `directory`. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
    this.#owners = new Map((readState(this.#path) ?? []) as Stored);
  }

  /**
   * Notes who has an address now; true if it was somebody else's. An owner that need not be
   * remembered is none's former owner.
   */
  note(
    address: Address,
    { owner, remember }: { readonly owner: EndpointKey; readonly remember: boolean },
  ): boolean {
    const former = this.#owners.get(address);
    if (former === owner || (former === undefined && !remember)) return false;
    this.#owners.delete(address);
    if (remember) this.#owners.set(address, owner);
    this.#dirty = true;
    if (this.#owners.size > OWNERS_MAX) {
      const [oldest] = this.#owners.keys();
      if (oldest !== undefined) this.#owners.delete(oldest);
    }
    return former !== undefined;
  }

  /** Writes the file if something changed. O(addresses). Throws OperationError. */
  save(): void {
    if (!this.#dirty) return;
    const stored: Stored = [...this.#owners];
    writeState(this.#path, stored);
    this.#dirty = false;
  }
}
