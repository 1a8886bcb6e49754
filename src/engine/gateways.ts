// The gateways of every policy: resolved, numbered, and with the value that their rows have on this
// node. Says of a changed node or NodeState which policies it concerns.

import { present } from "../lib/assert.ts";
import type { Change } from "../model/change.ts";
import type { Node, NodeState } from "../model/node.ts";
import type { Policy } from "../model/policy.ts";
import type { RowsMode } from "../plan/row.ts";
import type { Egress } from "./egress.ts";
import { deriveEgress } from "./egress.ts";
import type { Gateway } from "./gateway.ts";
import type { GatewayState, GatewayValue, PolicyState } from "./policy-state.ts";
import { GatewayRegistry, makeGatewayValue, sameGatewayValue } from "./policy-state.ts";
import { Resolver } from "./resolve.ts";
import { gatewayFacts } from "./values.ts";

interface Scope {
  readonly node: string;
  readonly rows: RowsMode;
}

export class Gateways {
  readonly #scope: Scope | undefined;
  readonly #resolver = new Resolver<PolicyState>();
  readonly #registry = new GatewayRegistry();
  readonly #states = new Map<string, NodeState>();
  /** Ids that this step took out of use; free when the next one begins. */
  #retired: number[] = [];
  readonly #refreshed = new Set<PolicyState>();

  constructor(scope: Scope | undefined) {
    this.#scope = scope;
  }

  watch(state: PolicyState): void {
    this.#resolver.watch(state, state.policy.gateways);
  }

  unwatch(state: PolicyState): void {
    this.#resolver.unwatch(state, state.policy.gateways);
  }

  /** Gives up the numbers of a policy's gateways. */
  release(state: PolicyState): void {
    this.#retired.push(...state.gateways.map(({ id }) => id));
  }

  /** A version of the policy that selects the same endpoints. */
  replace(state: PolicyState, policy: Policy): void {
    this.#resolver.unwatch(state, state.policy.gateways);
    state.policy = policy;
    this.#resolver.watch(state, policy.gateways);
  }

  /** The policies whose gateways may differ now. */
  takeNodes(changes: readonly Change<string, Node>[]): Set<PolicyState> {
    return this.#resolver.apply(changes);
  }

  /** The policies whose rows here may differ now: only this node's own state counts (rule 6.8). */
  takeStates(
    changes: readonly Change<string, NodeState>[],
    policies: Iterable<PolicyState>,
  ): Set<PolicyState> {
    let here = false;
    for (const { key, value } of changes) {
      if (value === undefined) this.#states.delete(key);
      else this.#states.set(key, value);
      here ||= key === this.#scope?.node;
    }
    return new Set(here ? [...policies].filter(({ local }) => local) : []);
  }

  /** Resolves a policy's gateways anew; true if assignments or rows may follow. */
  refresh(state: PolicyState): boolean {
    this.#refreshed.add(state);
    const gateways = this.#resolver.resolve(state.policy.gateways);
    const old = state.gateways;
    state.gateways = this.#number(state, gateways);
    state.local = gateways.some(({ node }) => node === this.#scope?.node);
    let changed =
      state.local !== state.localBefore ||
      old.length !== gateways.length ||
      old.some(({ id }, i) => id !== state.gateways[i]?.id);
    if (this.#scope === undefined) return changed;
    const here = { ...this.#scope, state: this.#states.get(this.#scope.node) };
    for (const [i, facts] of gatewayFacts(gateways, state.needed, here).entries()) {
      const value = makeGatewayValue(state.policy.name, facts);
      const gateway = present(state.gateways[i], "a gateway");
      if (sameGatewayValue(gateway.value, value)) continue;
      gateway.value = value;
      changed = true;
    }
    return changed;
  }

  /** What a row of this assignment says here; undefined: this node holds no such row. */
  valueHere(state: PolicyState, endpointHere: boolean, id: number): GatewayValue | undefined {
    if (!this.#holds(state.local, endpointHere)) return undefined;
    return id === 0 ? state.drop : this.#registry.get(id).value;
  }

  /** The same before this step, for an endpoint that stayed in the policy. */
  valueBefore(state: PolicyState, endpointHere: boolean, id: number): GatewayValue | undefined {
    if (!this.#holds(state.localBefore, endpointHere)) return undefined;
    return id === 0 ? state.drop : this.#registry.get(id).valueBefore;
  }

  /** What a gateway has on its own node; undefined: unknown (rule 6.8). */
  egressOf(gateway: Gateway, policy: PolicyState): Egress | undefined {
    return deriveEgress(gateway.entry, policy.needed, this.#states.get(gateway.node));
  }

  /** Begins a step: forgets what only the last one's differences needed. */
  begin(): void {
    for (const id of this.#retired) this.#registry.release(id);
    this.#retired = [];
    for (const state of this.#refreshed) {
      state.localBefore = state.local;
      for (const gateway of state.gateways) gateway.valueBefore = gateway.value;
    }
    this.#refreshed.clear();
  }

  /** Rule 7.6: all rows, or those of local endpoints and of the policies served here. */
  #holds(local: boolean, endpointHere: boolean): boolean {
    if (this.#scope === undefined) return false;
    return this.#scope.rows === "all" || endpointHere || local;
  }

  /** Gateways that stay keep their number, so that who stays with one has not moved. */
  #number(policy: PolicyState, gateways: readonly Gateway[]): readonly GatewayState[] {
    const known = new Map<string, GatewayState[]>();
    for (const state of policy.gateways) {
      const text = identity(state.gateway);
      known.set(text, [...(known.get(text) ?? []), state]);
    }
    const numbered = gateways.map((gateway) => {
      const kept = known.get(identity(gateway))?.shift();
      const state = kept ?? this.#registry.create(gateway, policy.drop);
      state.gateway = gateway;
      return state;
    });
    for (const states of known.values()) this.#retired.push(...states.map(({ id }) => id));
    return numbered;
  }
}

function identity({ node, gatewayIP, entry }: Gateway): string {
  return JSON.stringify([node, gatewayIP, entry.egressIPText, entry.interface]);
}
