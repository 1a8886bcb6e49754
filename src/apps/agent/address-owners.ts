// Who had an address last, also when that endpoint is gone and over restarts: a successor must
// start without the former one's connections (rule 8.10).

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";
import type { EndpointKey } from "../../model/endpoint.ts";
import type { Address } from "../../net/address.ts";

/** Raised when what is stored is no longer read as before; other versions are ignored. */
const VERSION = 1;
const FILE = "address-owners.json";
/** Addresses remembered; the ones noted longest ago are forgotten first. */
const OWNERS_MAX = 200_000;

interface Stored {
  readonly version: number;
  readonly owners: readonly (readonly [Address, EndpointKey])[];
}

export class AddressOwners {
  readonly #path: string;
  readonly #owners: Map<Address, EndpointKey>;
  #dirty = false;

  /** Reads what an earlier process left in `directory`. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
    this.#owners = new Map(readStored(this.#path));
  }

  /** Notes who has an address now; true if it was somebody else's. */
  note(address: Address, owner: EndpointKey): boolean {
    const former = this.#owners.get(address);
    if (former === owner) return false;
    this.#owners.delete(address);
    this.#owners.set(address, owner);
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
    const stored: Stored = { version: VERSION, owners: [...this.#owners] };
    const part = `${this.#path}.part`;
    try {
      writeFileSync(part, JSON.stringify(stored));
      renameSync(part, this.#path);
      this.#dirty = false;
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      throw new OperationError({ code, op: "write", target: this.#path, cause });
    }
  }
}

/** A file that is missing, cut short or of another version holds nothing. */
function readStored(path: string): Stored["owners"] {
  try {
    const stored = JSON.parse(readFileSync(path, "utf8")) as Stored;
    return stored.version === VERSION ? stored.owners : [];
  } catch {
    return [];
  }
}
