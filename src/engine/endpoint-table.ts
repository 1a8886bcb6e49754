// The endpoints as columns, one slot each, and who holds which address (rule 3.7). Slots are small
// numbers that members, assignments and differences share; a freed slot is reused a step later.

import { assert, present } from "../lib/assert.ts";
import { fnv1a32 } from "../lib/hash.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { v4Number } from "../net/address.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import { compareEndpoints } from "./gateway.ts";
import type { LabelState } from "./match.ts";
import { NO_POLICIES, type PolicySet } from "./precedence.ts";

/** Sorts behind every IPv4 address. */
const V6_ONLY = 2 ** 32;
/** Sort key and index share a double's 53 bits: 33 and 20. */
const INDEX_BITS = 2 ** 20;
const INITIAL_SLOTS = 256;

export class EndpointTable {
  readonly #node: string | undefined;
  readonly #slots = new Map<EndpointKey, number>();
  readonly #endpoints: (Endpoint | undefined)[] = [];
  readonly #free: number[] = [];
  /** The lowest IPv4 address as a number; decides most comparisons (rule 5.4). */
  #rank = new Float64Array(INITIAL_SLOTS);
  /** FNV-1a 32 of the key. */
  #hash = new Uint32Array(INITIAL_SLOTS);
  /** Where the endpoint's gateways begin in the slab, as many as its policies. */
  #offset = new Uint32Array(INITIAL_SLOTS);
  /** 1: on this node. */
  #here = new Uint8Array(INITIAL_SLOTS);
  readonly #labels: (LabelState | undefined)[] = [];
  readonly #sets: PolicySet[] = [];
  readonly #owners = new Map<Address, number>();
  /** Addresses that several endpoints claim: the slots of all claimants. */
  readonly #contested = new Map<Address, number[]>();

  /** `node`: this node's name; undefined: none is. */
  constructor(node: string | undefined) {
    this.#node = node;
  }

  /** Endpoints now. */
  get size(): number {
    return this.#slots.size;
  }

  slotOf(key: EndpointKey): number | undefined {
    return this.#slots.get(key);
  }

  /** The endpoint in a slot that is in use. */
  at(slot: number): Endpoint {
    return present(this.#endpoints[slot], "the endpoint of a slot");
  }

  /** Undefined: the slot is free. */
  peek(slot: number): Endpoint | undefined {
    return this.#endpoints[slot];
  }

  /** Every slot in use, in no order. */
  slots(): IterableIterator<number> {
    return this.#slots.values();
  }

  hashOf(slot: number): number {
    return this.#hash[slot] as number;
  }

  isHere(slot: number): boolean {
    return this.#here[slot] === 1;
  }

  offsetOf(slot: number): number {
    return this.#offset[slot] as number;
  }

  setOffset(slot: number, offset: number): void {
    this.#offset[slot] = offset;
  }

  policiesOf(slot: number): PolicySet {
    return this.#sets[slot] as PolicySet;
  }

  setPolicies(slot: number, set: PolicySet): void {
    this.#sets[slot] = set;
  }

  labelsOf(slot: number): LabelState | undefined {
    return this.#labels[slot];
  }

  setLabels(slot: number, labels: LabelState | undefined): void {
    this.#labels[slot] = labels;
  }

  /** Orders slots as rule 5.4 orders endpoints. */
  readonly order = (a: number, b: number): number => {
    const byRank = (this.#rank[a] as number) - (this.#rank[b] as number);
    return byRank !== 0 || a === b ? byRank : compareEndpoints(this.at(a), this.at(b));
  };

  /** A slot for a new endpoint, without claims. */
  insert(endpoint: Endpoint): number {
    const slot = this.#free.pop() ?? this.#endpoints.length;
    if (slot >= this.#rank.length) this.#grow();
    this.#slots.set(endpoint.key, slot);
    this.#sets[slot] = NO_POLICIES;
    this.#labels[slot] = undefined;
    this.#hash[slot] = fnv1a32(endpoint.key);
    this.replace(slot, endpoint);
    return slot;
  }

  replace(slot: number, endpoint: Endpoint): void {
    const first = present(endpoint.addresses[0], "an endpoint's address");
    this.#endpoints[slot] = endpoint;
    this.#rank[slot] = first.length === 4 ? v4Number(first) : V6_ONLY;
    this.#here[slot] = endpoint.node === this.#node ? 1 : 0;
  }

  /** Takes the endpoint out; its slot stays reserved until `release`. */
  remove(slot: number): void {
    this.#slots.delete(this.at(slot).key);
    this.#endpoints[slot] = undefined;
  }

  release(slot: number): void {
    assert(this.#endpoints[slot] === undefined, "a released slot is empty");
    this.#free.push(slot);
  }

  /** Sorts slots by rule 5.4, in place. */
  sort(slots: number[]): void {
    if (slots.length >= INDEX_BITS) {
      slots.sort(this.order);
      return;
    }
    const keys = Float64Array.from(
      slots,
      (slot, i) => (this.#rank[slot] as number) * INDEX_BITS + i,
    ).sort();
    const unsorted = slots.slice();
    for (let i = 0; i < keys.length; i++) {
      slots[i] = unsorted[(keys[i] as number) % INDEX_BITS] as number;
    }
    this.#sortTies(slots);
  }

  /** Puts runs of equal ranks (IPv6 only, or one address claimed twice) in order. */
  #sortTies(slots: number[]): void {
    for (let start = 0; start < slots.length; ) {
      const rank = this.#rank[slots[start] as number];
      let end = start + 1;
      while (end < slots.length && this.#rank[slots[end] as number] === rank) end++;
      if (end - start > 1) {
        const run = slots.slice(start, end).sort(this.order);
        for (const [i, slot] of run.entries()) slots[start + i] = slot;
      }
      start = end;
    }
  }

  /** The addresses that the endpoint holds: those that no newer endpoint claims (rule 3.7). */
  held(slot: number): readonly Address[] {
    const { addresses } = this.at(slot);
    if (this.#contested.size === 0) return addresses;
    const kept = addresses.filter((address) => this.#owners.get(address) === slot);
    return kept.length === addresses.length ? addresses : kept;
  }

  holder(address: Address): number | undefined {
    return this.#owners.get(address);
  }

  /** Who else claims this address now; they may gain or lose it with the next claim or waiver. */
  claimants(address: Address): readonly number[] {
    const contested = this.#contested.get(address);
    if (contested !== undefined) return contested;
    const owner = this.#owners.get(address);
    return owner === undefined ? [] : [owner];
  }

  /** Addresses with several claimants, and who holds each. */
  contested(): Iterable<[Address, readonly number[]]> {
    return this.#contested;
  }

  /** Claims an address that nobody claims yet; false if somebody does. */
  claimFree(slot: number, address: Address): boolean {
    if (this.#owners.has(address)) return false;
    this.#owners.set(address, slot);
    return true;
  }

  /** Claims an address that others claim too; the newest holds it. */
  claimShared(slot: number, address: Address): void {
    const claimants = [...this.claimants(address), slot];
    this.#contested.set(address, claimants);
    this.#owners.set(address, this.#newest(claimants));
  }

  waive(slot: number, address: Address): void {
    const claimants = this.claimants(address).filter((other) => other !== slot);
    if (claimants.length <= 1) this.#contested.delete(address);
    else this.#contested.set(address, claimants);
    if (claimants.length === 0) this.#owners.delete(address);
    else this.#owners.set(address, this.#newest(claimants));
  }

  #newest(slots: readonly number[]): number {
    return slots.reduce((best, slot) => {
      const [a, b] = [this.at(slot), this.at(best)];
      return (a.createdAt - b.createdAt || compareBytes(a.key, b.key)) > 0 ? slot : best;
    });
  }

  #grow(): void {
    const length = Math.ceil(this.#rank.length * 1.5);
    this.#rank = grown(this.#rank, new Float64Array(length));
    this.#hash = grown(this.#hash, new Uint32Array(length));
    this.#offset = grown(this.#offset, new Uint32Array(length));
    this.#here = grown(this.#here, new Uint8Array(length));
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
