// Who is in which policy: takes changes of endpoints, node labels and policies, and keeps every
// endpoint's policy set, every policy's sorted members and every pair's gateway number. Which
// gateway that is, others choose.

import { assert, present } from "../lib/assert.ts";
import { sameList } from "../lib/equal.ts";
import { Slab } from "../lib/slab.ts";
import type { Address } from "../net/address.ts";
import type { Change } from "../model/change.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import type { Node } from "../model/node.ts";
import { EndpointTable } from "./endpoint-table.ts";
import type { LabelState } from "./match.ts";
import { Matcher } from "./match.ts";
import type { PolicyState } from "./policy-state.ts";
import type { PolicySet } from "./precedence.ts";
import type { RowFacts } from "./step-log.ts";

export class Roster {
  readonly table: EndpointTable;
  /** Endpoints to look at again in this step, with what their rows followed from before it. */
  marked = new Map<number, RowFacts | undefined>();
  /** Policies whose members changed in this step. */
  readonly touched = new Set<PolicyState>();

  readonly #matcher = new Matcher();
  /** For each endpoint its gateway numbers, by index in its policy set. */
  readonly #slab = new Slab();
  readonly #factsOf: (slot: number) => RowFacts;
  /** Endpoints that left every member list because their place in the order changed. */
  readonly #unlinked = new Set<number>();
  #removed: number[] = [];

  /** `node`: this node's name. `factsOf`: what an endpoint's rows follow from now. */
  constructor(node: string | undefined, factsOf: (slot: number) => RowFacts) {
    this.table = new EndpointTable(node);
    this.#factsOf = factsOf;
  }

  /** Begins a step: what the last one took out of use may be used again. */
  begin(): void {
    for (const slot of this.#removed) this.table.release(slot);
    this.#removed = [];
    this.marked = new Map();
    this.touched.clear();
  }

  gatewayId(slot: number, index: number): number {
    return this.#slab.get(this.table.offsetOf(slot), index);
  }

  setGatewayId(slot: number, index: number, id: number): void {
    this.#slab.set(this.table.offsetOf(slot), index, id);
  }

  takeNodes(changes: readonly Change<string, Node>[]): void {
    const reclassed = new Set<string>();
    for (const { key, value } of changes) {
      if (this.#matcher.setNode(key, value?.labels)) reclassed.add(key);
    }
    if (reclassed.size === 0) return;
    for (const slot of this.table.slots()) {
      if (reclassed.has(this.table.at(slot).node)) this.#mark(slot);
    }
  }

  /** Policies that select other endpoints than before, or that are gone or new. */
  takePolicies(removed: readonly PolicyState[], added: readonly PolicyState[]): void {
    const affected = new Set<LabelState>();
    for (const state of removed) {
      state.gone = true;
      this.touched.delete(state);
      for (const labels of this.#matcher.removePolicy(state)) affected.add(labels);
    }
    for (const state of added) {
      for (const labels of this.#matcher.addPolicy(state)) affected.add(labels);
    }
    if (affected.size === 0) return;
    for (const slot of this.table.slots()) {
      const labels = this.table.labelsOf(slot);
      if (labels !== undefined && affected.has(labels)) this.#mark(slot);
    }
  }

  takeEndpoints(changes: readonly Change<EndpointKey, Endpoint>[]): void {
    for (const { key, value } of changes) {
      const slot = this.table.slotOf(key);
      if (slot === undefined) {
        if (value !== undefined) this.#insert(value);
      } else {
        this.#mark(slot);
        if (value === undefined) this.#remove(slot);
        else this.#update(slot, value);
      }
    }
  }

  /** Gives marked endpoints their policies; gives those that still exist, in order. */
  rebuild(): readonly number[] {
    const dirty: number[] = [];
    for (const slot of this.marked.keys()) {
      if (this.table.peek(slot) !== undefined) dirty.push(slot);
    }
    this.table.sort(dirty);
    for (const slot of dirty) {
      const labels = present(this.table.labelsOf(slot), "an endpoint's labels");
      const set = this.#matcher.policies(labels, this.table.at(slot).node);
      const old = this.table.policiesOf(slot);
      if (set !== old || this.#unlinked.has(slot)) this.#relink(slot, old, set);
    }
    this.#unlinked.clear();
    for (const state of this.touched) this.#seat(state);
    return dirty;
  }

  #insert(endpoint: Endpoint): void {
    const slot = this.table.insert(endpoint);
    this.marked.set(slot, undefined);
    this.table.setLabels(slot, this.#matcher.acquireLabels(endpoint.labels));
    this.#matcher.acquireNode(endpoint.node);
    this.#claim(slot, endpoint.addresses);
  }

  #update(slot: number, endpoint: Endpoint): void {
    const old = this.table.at(slot);
    const labels = this.table.labelsOf(slot);
    this.table.setLabels(slot, this.#matcher.acquireLabels(endpoint.labels));
    if (labels !== undefined) this.#matcher.releaseLabels(labels);
    this.#matcher.acquireNode(endpoint.node);
    this.#matcher.releaseNode(old.node);
    if (old.addresses[0] !== endpoint.addresses[0]) {
      this.#unlink(slot, this.table.policiesOf(slot).policies);
      this.#unlinked.add(slot);
    }
    const sameClaims =
      old.createdAt === endpoint.createdAt && sameList(old.addresses, endpoint.addresses);
    if (!sameClaims) this.#waive(slot, old.addresses);
    this.table.replace(slot, endpoint);
    if (!sameClaims) this.#claim(slot, endpoint.addresses);
  }

  #remove(slot: number): void {
    const old = this.table.at(slot);
    const set = this.table.policiesOf(slot);
    this.#unlink(slot, set.policies);
    this.#waive(slot, old.addresses);
    const labels = this.table.labelsOf(slot);
    if (labels !== undefined) this.#matcher.releaseLabels(labels);
    this.#matcher.releaseNode(old.node);
    this.#slab.free(this.table.offsetOf(slot), set.policies.length);
    this.table.remove(slot);
    this.#removed.push(slot);
  }

  #claim(slot: number, addresses: readonly Address[]): void {
    for (const address of addresses) {
      if (this.table.claimFree(slot, address)) continue;
      this.#markClaimants(address, slot);
      this.table.claimShared(slot, address);
    }
  }

  #waive(slot: number, addresses: readonly Address[]): void {
    for (const address of addresses) {
      this.#markClaimants(address, slot);
      this.table.waive(slot, address);
    }
  }

  /** Who shares an address may gain or lose it (rule 3.7). */
  #markClaimants(address: Address, except: number): void {
    for (const slot of this.table.claimants(address)) if (slot !== except) this.#mark(slot);
  }

  /** To be looked at again in this step; called before anything that its rows follow from moves. */
  #mark(slot: number): void {
    if (!this.marked.has(slot)) this.marked.set(slot, this.#factsOf(slot));
  }

  #unlink(slot: number, policies: readonly PolicyState[]): void {
    for (const state of policies) {
      if (state.gone) continue;
      const place = state.members.place(slot, this.table.order);
      assert(state.members.at(place) === slot, "a member is found at its place");
      state.members.removeAt(place);
      state.changedFrom = Math.min(state.changedFrom, place);
      this.touched.add(state);
    }
  }

  /** Moves an endpoint from one policy set to another, keeping its gateways in common policies. */
  #relink(slot: number, old: PolicySet, set: PolicySet): void {
    const unlinked = this.#unlinked.has(slot);
    const from = this.table.offsetOf(slot);
    const to = this.#slab.allocate(set.policies.length);
    for (let index = 0; index < set.policies.length; index++) {
      const state = set.policies[index] as PolicyState;
      const kept = old.policies.indexOf(state);
      if (kept >= 0) this.#slab.set(to, index, this.#slab.get(from, kept));
      if (kept >= 0 && !unlinked) continue;
      state.arriving.push(slot);
      this.touched.add(state);
    }
    if (!unlinked && old.policies.length > 0) {
      this.#unlink(slot, old.policies.filter((state) => !set.policies.includes(state)));
    }
    this.#slab.free(from, old.policies.length);
    this.table.setOffset(slot, to);
    this.table.setPolicies(slot, set);
  }

  /** Takes the arriving endpoints into the policy's order. */
  #seat(state: PolicyState): void {
    if (state.arriving.length === 0) return;
    const first = state.members.insert(state.arriving, this.table.order);
    state.changedFrom = Math.min(state.changedFrom, first);
    state.arriving.length = 0;
  }
}
