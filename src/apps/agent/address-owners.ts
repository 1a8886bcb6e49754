// Who had an address last, also when that endpoint is gone and over restarts: a successor must
// start without the former one's connections (rule 8.10).
//
// A process may be killed at any moment, so the file is ahead of the kernel: who has an address is
// written before its rows are, and that it was passed on only when that is done.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { EndpointKey } from "../../model/endpoint.ts";
import type { Address } from "../../net/address.ts";
import { readState } from "./state-file.ts";
import { StateLog } from "./state-log.ts";

const FILE = "address-owners.jsonl";
/** The whole in one, which earlier agents wrote every two seconds. */
const OLDER_FILE = "address-owners.json";
/** Addresses remembered; the ones noted longest ago are forgotten first. */
const OWNERS_MAX = 200_000;
/** Lines that may be in the file beside one for each address. */
const OUTDATED_MAX = 4096;

export interface Owner {
  readonly key: EndpointKey;
  /** It lives on this node. */
  readonly here: boolean;
  /** Policies select it. */
  readonly selected: boolean;
}

/** `selected`: policies selected it at any time, so it may have flows through gateways. */
interface Known {
  readonly key: EndpointKey;
  readonly selected: boolean;
}

/** Without a key: nobody to be remembered. Older files do not say whether policies selected it. */
type Stored = readonly [Address, key?: EndpointKey, selected?: boolean];

export class AddressOwners {
  readonly #olderPath: string;
  readonly #log: StateLog;
  readonly #owners = new Map<Address, Known>();
  /** Addresses whose owners are not written, and whom the file has instead. */
  readonly #unwritten = new Map<Address, Known | undefined>();

  /** Reads what an earlier process left in `directory`. */
  constructor(directory: string) {
    this.#log = new StateLog(join(directory, FILE));
    this.#olderPath = join(directory, OLDER_FILE);
    // Where there are both, an older release ran last.
    const older = readState(this.#olderPath) as readonly Stored[] | undefined;
    for (const [address, key, selected = true] of older ?? (this.#log.read() as Stored[])) {
      this.#set(address, key === undefined ? undefined : { key, selected });
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
    if (!this.#unwritten.has(address)) this.#unwritten.set(address, former);
    this.#set(address, here || selected ? { key, selected } : undefined);
    return former !== undefined && !same && (former.selected || selected);
  }

  /**
   * Writes down what was noted, but for addresses that are passing: whoever comes after us must
   * find the owner whose flows are not forgotten. O(what was noted), amortized. Throws
   * OperationError.
   */
  save(isPassing: (address: Address) => boolean = () => false): void {
    const ripe = [...this.#unwritten.keys()].filter((address) => !isPassing(address));
    if (ripe.length === 0) return;
    const { lines } = this.#log;
    const linesMax = 2 * this.#owners.size + OUTDATED_MAX;
    if (lines !== undefined && lines + ripe.length <= linesMax) {
      this.#log.append(ripe.map((address) => stored(address, this.#owners.get(address))));
    } else {
      this.#replace(isPassing);
    }
    for (const address of ripe) this.#unwritten.delete(address);
  }

  /** O(addresses). */
  #replace(isPassing: (address: Address) => boolean): void {
    const all = new Map<Address, Known | undefined>(this.#owners);
    for (const [address, known] of this.#unwritten) if (isPassing(address)) all.set(address, known);
    this.#log.replace([...all].map(([address, known]) => stored(address, known)));
    rmSync(this.#olderPath, { force: true });
  }

  #set(address: Address, known: Known | undefined): void {
    // What is noted last stands last.
    this.#owners.delete(address);
    if (known !== undefined) this.#owners.set(address, known);
    if (this.#owners.size <= OWNERS_MAX) return;
    const [oldest] = this.#owners.keys();
    if (oldest !== undefined) this.#owners.delete(oldest);
  }
}

function stored(address: Address, known: Known | undefined): Stored {
  return known === undefined ? [address] : [address, known.key, known.selected];
}
