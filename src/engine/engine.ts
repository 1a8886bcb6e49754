// The incremental engine: model changes in, row changes out. Straight-line calls of operators in
// dependency order: match -> resolve -> distribute -> rows. Each remembers what it needs to redo
// only what a change concerns; nothing depends on the path that led to the current state.

import { assert, present } from "../lib/assert.ts";
import { sameList } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import { Slab } from "../lib/slab.ts";
import type { Address } from "../net/address.ts";
import type { Change } from "../model/change.ts";
import type { ModelDelta } from "../model/delta.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import type { Node } from "../model/node.ts";
import type { Distribution, Policy } from "../model/policy.ts";
import type { Assignment, PlanGateway, Stream } from "../plan/plan.ts";
import type { Row, RowChange } from "../plan/row.ts";
import { listAssignments, planGateways } from "./assignments.ts";
import { chooser } from "./distribute.ts";
import { EndpointTable } from "./endpoint-table.ts";
import type { LabelState } from "./match.ts";
import { Matcher } from "./match.ts";
import type { EngineOptions } from "./options.ts";
import { PolicyNumbers, PolicyState, sameSelection } from "./policy-state.ts";
import type { PolicySet } from "./precedence.ts";
import { Gateways } from "./gateways.ts";
import { listRows } from "./row-list.ts";
import { type RowFacts, StepLog } from "./step-log.ts";

/** What one step did. */
export interface Step {
  /** The real differences in no particular order; to be read before the next step. */
  readonly rows: Iterable<RowChange>;
  readonly counters: {
    /** Endpoints that were looked at again or that moved. */
    readonly endpoints: number;
    /** Pairs of endpoint and policy whose gateway changed. */
    readonly moves: number;
    /** Row changes; counted when asked for, O(rows). */
    readonly rows: number;
  };
}

export class Engine {
  readonly options: EngineOptions;
  readonly #table: EndpointTable;
  readonly #matcher = new Matcher();
  readonly #gateways: Gateways;
  /** For each endpoint its gateway ids, by index in its policy set. */
  readonly #slab = new Slab();
  readonly #numbers = new PolicyNumbers();
  readonly #policies = new Map<string, PolicyState>();

  // The step under way; what it retires is reused only by the next one.
  #log: StepLog;
  /** Endpoints to look at again, with what their rows followed from before this step. */
  #before = new Map<number, RowFacts | undefined>();
  /** Endpoints that left every member list because their place in the order changed. */
  readonly #unlinked = new Set<number>();
  /** Policies whose members changed in this step. */
  readonly #touched = new Set<PolicyState>();
  /** Policies whose gateways, or what they say here, may have changed in this step. */
  readonly #stale = new Set<PolicyState>();
  #removedSlots: number[] = [];

  constructor(options: EngineOptions) {
    this.options = options;
    this.#table = new EndpointTable(options.scope?.node);
    this.#gateways = new Gateways(options.scope);
    this.#log = this.#newLog();
  }

  /**
   * Takes changes and gives the differences that follow. Work is proportional to the endpoints
   * concerned and, under round-robin, to those whose rank changed; a policy's or a node's own
   * change also reads one column of all endpoints.
   */
  step(delta: ModelDelta): Step {
    this.#retire();
    this.#takeNodes(delta.nodes);
    this.#takePolicies(delta.policies);
    this.#takeEndpoints(delta.endpoints);
    const dirty = this.#rebuild();
    for (const state of this.#gateways.takeStates(delta.states, this.#policies.values())) {
      this.#stale.add(state);
    }
    this.#redistribute(dirty);
    return this.#finish();
  }

  /** All rows of this node, sorted by source and destination; to be read before the next step. */
  rows(): Stream<Row> {
    return listRows(this.#table, (slot) => this.facts(slot));
  }

  /** Every assignment, by policy and endpoint order; to be read before the next step. */
  assignments(): Stream<Assignment> {
    return listAssignments(this.policies(), this.#table, {
      gatewayId: (slot, state) => this.#gatewayId(slot, state),
      gateways: (state) => this.planGateways(state),
    });
  }

  /** The gateways of one policy as a plan shows them. O(members). */
  planGateways(state: PolicyState): Map<number, PlanGateway> {
    return planGateways(state, (slot) => this.#gatewayId(slot, state), this.#gateways);
  }

  /** The policies, by name. */
  policies(): readonly PolicyState[] {
    return [...this.#policies.values()].sort((a, b) =>
      compareBytes(a.policy.name, b.policy.name),
    );
  }

  get table(): EndpointTable {
    return this.#table;
  }

  get gateways(): Gateways {
    return this.#gateways;
  }

  distributionOf(policy: Policy): Distribution {
    return policy.distribution ?? this.options.distribution;
  }

  #newLog(): StepLog {
    return new StepLog(this.#table, (slot) => this.facts(slot));
  }

  #retire(): void {
    for (const slot of this.#removedSlots) this.#table.release(slot);
    this.#removedSlots = [];
    this.#numbers.retire();
    this.#gateways.retire();
    this.#before = new Map();
    this.#log = this.#newLog();
  }

  #takeNodes(changes: readonly Change<string, Node>[]): void {
    if (changes.length === 0) return;
    for (const state of this.#gateways.takeNodes(changes)) this.#stale.add(state);
    const reclassed = new Set<string>();
    for (const { key, value } of changes) {
      if (this.#matcher.setNode(key, value?.labels)) reclassed.add(key);
    }
    if (reclassed.size === 0) return;
    for (const slot of this.#table.slots()) {
      if (reclassed.has(this.#table.at(slot).node)) this.#mark(slot);
    }
  }

  #takePolicies(changes: readonly Change<string, Policy>[]): void {
    const affected = new Set<LabelState>();
    const note = (labels: Iterable<LabelState>) => {
      for (const one of labels) affected.add(one);
    };
    for (const { key, value } of changes) {
      const old = this.#policies.get(key);
      if (old !== undefined && value !== undefined && sameSelection(old.policy, value)) {
        this.#gateways.replace(old, value);
        this.#stale.add(old);
        continue;
      }
      if (old !== undefined) note(this.#removePolicy(old));
      if (value !== undefined) note(this.#addPolicy(value, old));
      else if (old !== undefined) this.#gateways.release(old);
    }
    if (affected.size === 0) return;
    for (const slot of this.#table.slots()) {
      const labels = this.#table.labelsOf(slot);
      if (labels !== undefined && affected.has(labels)) this.#mark(slot);
    }
  }

  /** `old`: its former version; who keeps a gateway in both has not moved. */
  #addPolicy(policy: Policy, old: PolicyState | undefined): Set<LabelState> {
    const state = new PolicyState(this.#numbers.next(), policy);
    state.gateways = old?.gateways ?? [];
    this.#policies.set(policy.name, state);
    this.#gateways.watch(state);
    this.#stale.add(state);
    return this.#matcher.addPolicy(state);
  }

  #removePolicy(state: PolicyState): Set<LabelState> {
    state.gone = true;
    this.#policies.delete(state.policy.name);
    this.#numbers.release(state.number);
    this.#gateways.unwatch(state);
    this.#touched.delete(state);
    this.#stale.delete(state);
    return this.#matcher.removePolicy(state);
  }

  #takeEndpoints(changes: readonly Change<EndpointKey, Endpoint>[]): void {
    for (const { key, value } of changes) {
      const slot = this.#table.slotOf(key);
      if (slot === undefined) {
        if (value !== undefined) this.#insert(value);
      } else {
        this.#mark(slot);
        if (value === undefined) this.#remove(slot);
        else this.#update(slot, value);
      }
    }
  }

  #insert(endpoint: Endpoint): void {
    const slot = this.#table.insert(endpoint);
    this.#before.set(slot, undefined);
    this.#table.setLabels(slot, this.#matcher.acquireLabels(endpoint.labels));
    this.#matcher.acquireNode(endpoint.node);
    this.#claim(slot, endpoint.addresses);
  }

  #update(slot: number, endpoint: Endpoint): void {
    const old = this.#table.at(slot);
    const labels = this.#table.labelsOf(slot);
    this.#table.setLabels(slot, this.#matcher.acquireLabels(endpoint.labels));
    if (labels !== undefined) this.#matcher.releaseLabels(labels);
    this.#matcher.acquireNode(endpoint.node);
    this.#matcher.releaseNode(old.node);
    if (old.addresses[0] !== endpoint.addresses[0]) {
      this.#unlink(slot, this.#table.policiesOf(slot).policies);
      this.#unlinked.add(slot);
    }
    const sameClaims =
      old.createdAt === endpoint.createdAt && sameList(old.addresses, endpoint.addresses);
    if (!sameClaims) this.#waive(slot, old.addresses);
    this.#table.replace(slot, endpoint);
    if (!sameClaims) this.#claim(slot, endpoint.addresses);
  }

  #remove(slot: number): void {
    const old = this.#table.at(slot);
    const set = this.#table.policiesOf(slot);
    this.#unlink(slot, set.policies);
    this.#waive(slot, old.addresses);
    const labels = this.#table.labelsOf(slot);
    if (labels !== undefined) this.#matcher.releaseLabels(labels);
    this.#matcher.releaseNode(old.node);
    this.#slab.free(this.#table.offsetOf(slot), set.policies.length);
    this.#table.remove(slot);
    this.#removedSlots.push(slot);
  }

  #claim(slot: number, addresses: readonly Address[]): void {
    for (const address of addresses) {
      if (this.#table.claimFree(slot, address)) continue;
      this.#markClaimants(address, slot);
      this.#table.claimShared(slot, address);
    }
  }

  #waive(slot: number, addresses: readonly Address[]): void {
    for (const address of addresses) {
      this.#markClaimants(address, slot);
      this.#table.waive(slot, address);
    }
  }

  /** Who shares an address may gain or lose it (rule 3.7). */
  #markClaimants(address: Address, except: number): void {
    for (const slot of this.#table.claimants(address)) if (slot !== except) this.#mark(slot);
  }

  /** To be looked at again in this step; called before anything that its rows follow from moves. */
  #mark(slot: number): void {
    if (!this.#before.has(slot)) this.#before.set(slot, this.facts(slot));
  }

  #unlink(slot: number, policies: readonly PolicyState[]): void {
    for (const state of policies) {
      if (state.gone) continue;
      const place = state.members.place(slot, this.#table.order);
      assert(state.members.at(place) === slot, "a member is found at its place");
      state.members.removeAt(place);
      state.changedFrom = Math.min(state.changedFrom, place);
      this.#touched.add(state);
    }
  }

  /** Gives marked endpoints their policies; gives those that still exist, in order. */
  #rebuild(): readonly number[] {
    const dirty: number[] = [];
    for (const slot of this.#before.keys()) {
      if (this.#table.peek(slot) !== undefined) dirty.push(slot);
    }
    this.#table.sort(dirty);
    for (const slot of dirty) {
      const labels = present(this.#table.labelsOf(slot), "an endpoint's labels");
      const set = this.#matcher.policies(labels, this.#table.at(slot).node);
      const old = this.#table.policiesOf(slot);
      if (set !== old || this.#unlinked.has(slot)) this.#relink(slot, old, set);
    }
    this.#unlinked.clear();
    return dirty;
  }

  /** Moves an endpoint from one policy set to another, keeping its gateways in common policies. */
  #relink(slot: number, old: PolicySet, set: PolicySet): void {
    const unlinked = this.#unlinked.has(slot);
    const from = this.#table.offsetOf(slot);
    const to = this.#slab.allocate(set.policies.length);
    for (let index = 0; index < set.policies.length; index++) {
      const state = set.policies[index] as PolicyState;
      const kept = old.policies.indexOf(state);
      if (kept >= 0) this.#slab.set(to, index, this.#slab.get(from, kept));
      if (kept >= 0 && !unlinked) continue;
      state.arriving.push(slot);
      this.#touched.add(state);
    }
    if (!unlinked && old.policies.length > 0) {
      this.#unlink(slot, old.policies.filter((state) => !set.policies.includes(state)));
    }
    this.#slab.free(from, old.policies.length);
    this.#table.setOffset(slot, to);
    this.#table.setPolicies(slot, set);
  }

  #redistribute(dirty: readonly number[]): void {
    for (const state of this.#touched) this.#seat(state);
    for (const state of this.#stale) {
      const renewed = this.#gateways.refresh(state);
      const distribution = this.distributionOf(state.policy);
      // Only cilium-hash depends on the list's order, which `renewed` does not see (rule 5.2).
      const same = distribution === state.distribution && distribution !== "cilium-hash";
      if (same && !renewed) continue;
      state.distribution = distribution;
      state.choose = chooser(state, distribution, this.#table);
      this.#assign(state, 0);
      state.changedFrom = Number.POSITIVE_INFINITY;
    }
    for (const state of this.#touched) {
      if (state.distribution === "round-robin") this.#assign(state, state.changedFrom);
      state.changedFrom = Number.POSITIVE_INFINITY;
    }
    this.#touched.clear();
    this.#stale.clear();
    for (const slot of dirty) this.#assignHashed(slot);
  }

  /** Takes the arriving endpoints into the policy's order. */
  #seat(state: PolicyState): void {
    if (state.arriving.length === 0) return;
    const first = state.members.insert(state.arriving, this.#table.order);
    state.changedFrom = Math.min(state.changedFrom, first);
    state.arriving.length = 0;
  }

  /** Chooses again for the members from a place on. */
  #assign(state: PolicyState, from: number): void {
    const choose = present(state.choose, "a chooser");
    for (let place = from; place < state.members.length; place++) {
      const slot = state.members.at(place);
      const set = this.#table.policiesOf(slot);
      const index = set.policies.indexOf(state);
      const offset = this.#table.offsetOf(slot);
      const id = choose(slot, place);
      const old = this.#slab.get(offset, index);
      this.#slab.set(offset, index, id);
      // Marked endpoints are compared as a whole, afterwards.
      if (this.#before.size > 0 && this.#before.has(slot)) continue;
      const here = this.#table.isHere(slot);
      const before = this.#gateways.valueBefore(state, here, old);
      const to = this.#gateways.valueHere(state, here, id);
      if (id !== old) this.#log.moves++;
      if (id === old && before === to) continue;
      this.#log.endpoints++;
      this.#log.move(slot, state, { from: before, to });
    }
  }

  /** A marked endpoint's choices where they depend on nobody else. */
  #assignHashed(slot: number): void {
    const offset = this.#table.offsetOf(slot);
    const { policies } = this.#table.policiesOf(slot);
    for (let index = 0; index < policies.length; index++) {
      const state = policies[index] as PolicyState;
      if (state.distribution === "round-robin") continue;
      this.#slab.set(offset, index, present(state.choose, "a chooser")(slot, 0));
    }
  }

  #finish(): Step {
    const log = this.#log;
    log.endpoints += this.#before.size;
    for (const [slot, before] of this.#before) {
      log.rebuild(slot, before);
      log.moves += this.#movesOf(slot, before);
    }
    return {
      rows: { [Symbol.iterator]: () => log.changes()[Symbol.iterator]() },
      counters: {
        endpoints: log.endpoints,
        moves: log.moves,
        get rows() {
          let count = 0;
          for (const _ of log.changes()) count++;
          return count;
        },
      },
    };
  }

  /** Pairs that began, ended or changed their gateway. */
  #movesOf(slot: number, before: RowFacts | undefined): number {
    const there = this.#table.peek(slot) !== undefined;
    const now = there ? this.#table.policiesOf(slot).policies : [];
    if (before === undefined) return now.length;
    const ids = new Map(before.set.policies.map(({ policy }, i) => [policy.name, before.ids[i]]));
    let moves = 0;
    for (const [index, { policy }] of now.entries()) {
      const id = this.#slab.get(this.#table.offsetOf(slot), index);
      if (ids.get(policy.name) !== id) moves++;
      ids.delete(policy.name);
    }
    return moves + ids.size;
  }

  /** What the rows of the endpoint in a slot follow from. */
  facts(slot: number): RowFacts {
    const set = this.#table.policiesOf(slot);
    const offset = this.#table.offsetOf(slot);
    const here = this.#table.isHere(slot);
    const ids = set.policies.map((_, index) => this.#slab.get(offset, index));
    const values = set.policies.map((state, index) =>
      this.#gateways.valueHere(state, here, ids[index] as number),
    );
    return { addresses: this.#table.held(slot), set, ids, values };
  }

  #gatewayId(slot: number, state: PolicyState): number {
    const index = this.#table.policiesOf(slot).policies.indexOf(state);
    return this.#slab.get(this.#table.offsetOf(slot), index);
  }
}
