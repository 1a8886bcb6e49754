// The incremental engine: model changes in, row changes out. Straight-line calls of operators in
// dependency order: match -> resolve -> distribute -> rows. Each remembers what it needs to redo
// only what a change concerns; nothing depends on the path that led to the current state.

import { present } from "../lib/assert.ts";
import { compareBytes } from "../lib/order.ts";
import type { Change } from "../model/change.ts";
import type { ModelDelta } from "../model/delta.ts";
import type { Distribution, Policy } from "../model/policy.ts";
import type { Assignment, PlanGateway, Stream } from "../plan/plan.ts";
import type { Row, RowChange } from "../plan/row.ts";
import { listAssignments, planGateways } from "./assignments.ts";
import { chooser } from "./distribute.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import { Gateways } from "./gateways.ts";
import type { EngineOptions } from "./options.ts";
import { PolicyNumbers, PolicyState, sameSelection } from "./policy-state.ts";
import { Roster } from "./roster.ts";
import { listRows } from "./row-list.ts";
import type { RowFacts } from "./step-log.ts";
import { StepLog } from "./step-log.ts";

/** What one step did. */
export interface Step {
  /** The real differences in no particular order; to be read before the next step. */
  readonly rows: Iterable<RowChange>;
  readonly counters: {
    /** Endpoints that were looked at again, and one more for each gateway moved under others. */
    readonly endpoints: number;
    /** Pairs of endpoint and policy whose gateway changed. */
    readonly moves: number;
    /** Row changes; counted when asked for, O(rows). */
    readonly rows: number;
  };
}

export class Engine {
  readonly options: EngineOptions;
  readonly gateways: Gateways;
  readonly #roster: Roster;
  readonly #numbers = new PolicyNumbers();
  readonly #policies = new Map<string, PolicyState>();
  /** Policies whose gateways, or what they say here, may have changed in this step. */
  readonly #stale = new Set<PolicyState>();

  constructor(options: EngineOptions) {
    this.options = options;
    this.gateways = new Gateways(options.scope);
    this.#roster = new Roster(options.scope?.node, (slot) => this.facts(slot));
  }

  /**
   * Takes changes and gives the differences that follow. Work is proportional to the endpoints
   * concerned and, under round-robin, to those whose rank changed; a policy's or a node's own
   * change also reads one column of all endpoints.
   */
  step(delta: ModelDelta): Step {
    this.#numbers.begin();
    this.gateways.begin();
    this.#roster.begin();
    for (const state of this.gateways.takeNodes(delta.nodes)) this.#stale.add(state);
    this.#roster.takeNodes(delta.nodes);
    this.#takePolicies(delta.policies);
    this.#roster.takeEndpoints(delta.endpoints);
    const marked = this.#roster.rebuild();
    for (const state of this.gateways.takeStates(delta.states, this.#policies.values())) {
      this.#stale.add(state);
    }
    const log = new StepLog(this.table, (slot) => this.facts(slot));
    this.#redistribute(marked, log);
    return this.#finish(log);
  }

  /** All rows of this node, sorted by source and destination; to be read before the next step. */
  rows(): Stream<Row> {
    return listRows(this.table, (slot) => this.facts(slot));
  }

  /** Every assignment, by policy and endpoint order; to be read before the next step. */
  assignments(): Stream<Assignment> {
    return listAssignments(this.policies(), this.table, {
      gatewayId: (slot, state) => this.#gatewayId(slot, state),
      gateways: (state) => this.planGateways(state),
    });
  }

  /** The gateways of one policy as a plan shows them, by number. O(members). */
  planGateways(state: PolicyState): Map<number, PlanGateway> {
    return planGateways(state, (slot) => this.#gatewayId(slot, state), this.gateways);
  }

  /** The policies, by name. */
  policies(): readonly PolicyState[] {
    return [...this.#policies.values()].sort((a, b) => compareBytes(a.policy.name, b.policy.name));
  }

  /** What the rows of the endpoint in a slot follow from. */
  facts(slot: number): RowFacts {
    const set = this.table.policiesOf(slot);
    const here = this.table.isHere(slot);
    const ids = set.policies.map((_, index) => this.#roster.gatewayId(slot, index));
    const values = set.policies.map((state, index) =>
      this.gateways.valueHere(state, here, ids[index] as number),
    );
    return { addresses: this.table.held(slot), set, ids, values };
  }

  /** The gateway number of the endpoint in a slot under a policy, by index in its policy set. */
  gatewayIdAt(slot: number, index: number): number {
    return this.#roster.gatewayId(slot, index);
  }

  get table(): EndpointTable {
    return this.#roster.table;
  }

  distributionOf(policy: Policy): Distribution {
    return policy.distribution ?? this.options.distribution;
  }

  #takePolicies(changes: readonly Change<string, Policy>[]): void {
    const removed: PolicyState[] = [];
    const added: PolicyState[] = [];
    for (const { key, value } of changes) {
      const old = this.#policies.get(key);
      if (old !== undefined && value !== undefined && sameSelection(old.policy, value)) {
        this.gateways.replace(old, value);
        this.#stale.add(old);
        continue;
      }
      if (old !== undefined) removed.push(this.#dropPolicy(old));
      if (value !== undefined) added.push(this.#addPolicy(value, old));
      else if (old !== undefined) this.gateways.release(old);
    }
    this.#roster.takePolicies(removed, added);
  }

  /** `old`: its former version; who keeps a gateway in both has not moved. */
  #addPolicy(policy: Policy, old: PolicyState | undefined): PolicyState {
    const state = new PolicyState(this.#numbers.next(), policy);
    state.gateways = old?.gateways ?? [];
    this.#policies.set(policy.name, state);
    this.gateways.watch(state);
    this.#stale.add(state);
    return state;
  }

  #dropPolicy(state: PolicyState): PolicyState {
    this.#policies.delete(state.policy.name);
    this.#numbers.release(state.number);
    this.gateways.unwatch(state);
    this.#stale.delete(state);
    return state;
  }

  #redistribute(marked: readonly number[], log: StepLog): void {
    for (const state of this.#stale) {
      const renewed = this.gateways.refresh(state);
      const distribution = this.distributionOf(state.policy);
      // Only cilium-hash depends on the list's order, which `renewed` does not see (rule 5.2).
      const same = distribution === state.distribution && distribution !== "cilium-hash";
      if (same && !renewed) continue;
      state.distribution = distribution;
      state.choose = chooser(state, distribution, this.table);
      this.#assign(state, 0, log);
      state.changedFrom = Number.POSITIVE_INFINITY;
    }
    this.#stale.clear();
    for (const state of this.#roster.touched) {
      if (state.distribution === "round-robin") this.#assign(state, state.changedFrom, log);
      state.changedFrom = Number.POSITIVE_INFINITY;
    }
    for (const slot of marked) this.#assignHashed(slot);
  }

  /** Chooses again for the members from a place on. */
  #assign(state: PolicyState, from: number, log: StepLog): void {
    const choose = present(state.choose, "a chooser");
    const { marked } = this.#roster;
    for (let place = from; place < state.members.length; place++) {
      const slot = state.members.at(place);
      const index = this.table.policiesOf(slot).policies.indexOf(state);
      const id = choose(slot, place);
      const old = this.#roster.gatewayId(slot, index);
      this.#roster.setGatewayId(slot, index, id);
      // Marked endpoints are compared as a whole, afterwards.
      if (marked.size > 0 && marked.has(slot)) continue;
      const here = this.table.isHere(slot);
      const before = this.gateways.valueBefore(state, here, old);
      const after = this.gateways.valueHere(state, here, id);
      if (id !== old) log.moves++;
      if (id === old && before === after) continue;
      log.endpoints++;
      log.move(slot, state, { before, after });
    }
  }

  /** A marked endpoint's choices where they depend on nobody else. */
  #assignHashed(slot: number): void {
    const { policies } = this.table.policiesOf(slot);
    for (let index = 0; index < policies.length; index++) {
      const state = policies[index] as PolicyState;
      if (state.distribution === "round-robin") continue;
      this.#roster.setGatewayId(slot, index, present(state.choose, "a chooser")(slot, 0));
    }
  }

  #finish(log: StepLog): Step {
    for (const [slot, before] of this.#roster.marked) {
      log.rebuild(slot, before);
      log.endpoints++;
      log.moves += this.#movesOf(slot, before);
    }
    return {
      rows: { [Symbol.iterator]: () => log.changes() },
      counters: {
        endpoints: log.endpoints,
        moves: log.moves,
        get rows() {
          return [...log.changes()].length;
        },
      },
    };
  }

  /** Pairs that began, ended or changed their gateway. */
  #movesOf(slot: number, before: RowFacts | undefined): number {
    const there = this.table.peek(slot) !== undefined;
    const now = there ? this.table.policiesOf(slot).policies : [];
    if (before === undefined) return now.length;
    const ids = new Map(before.set.policies.map(({ policy }, i) => [policy.name, before.ids[i]]));
    let moves = 0;
    for (const [index, { policy }] of now.entries()) {
      if (ids.get(policy.name) !== this.#roster.gatewayId(slot, index)) moves++;
      ids.delete(policy.name);
    }
    return moves + ids.size;
  }

  #gatewayId(slot: number, state: PolicyState): number {
    return this.#roster.gatewayId(slot, this.table.policiesOf(slot).policies.indexOf(state));
  }
}
