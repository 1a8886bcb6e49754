// What the engine keeps for one policy, and for one of its gateways.

import { present } from "../lib/assert.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address, Family } from "../net/address.ts";
import { unspecified } from "../net/address.ts";
import type { Distribution, Policy } from "../model/policy.ts";
import { neededFamilies } from "../model/policy.ts";
import type { Selector } from "../model/selector.ts";
import type { RowValue } from "../plan/row.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY, sameRowValue } from "../plan/row.ts";
import type { Gateway } from "./gateway.ts";
import { Members } from "./members.ts";

/**
 * What the rows of one gateway of one policy say on this node. Rows that differ in source and
 * prefix alone share these objects.
 */
export type GatewayValue = Readonly<
  Record<Family, { readonly row: RowValue; readonly excluded: RowValue }>
>;

/** What a value is made of; an egress IP or ifindex of null is unknown (rule 6.8). */
export interface GatewayFacts {
  readonly gatewayIP: Address;
  readonly egressIPs: Readonly<Record<Family, Address | null>>;
  readonly ifindex: number | null;
}

/** The four rows that all rows of a gateway are: of each family, plain and excluded. */
export function makeGatewayValue(policy: string, facts: GatewayFacts): GatewayValue {
  const { gatewayIP, egressIPs, ifindex } = facts;
  const ofFamily = (family: Family) => {
    const row = { egressIP: egressIPs[family], gatewayIP, ifindex, policy };
    // Rule 6.6: an exclusion carries the same egress IP and ifindex as the others.
    return { row, excluded: { ...row, gatewayIP: EXCLUDED_GATEWAY } };
  };
  return { IPv4: ofFamily("IPv4"), IPv6: ofFamily("IPv6") };
}

export function sameGatewayValue(a: GatewayValue, b: GatewayValue): boolean {
  return a === b || (sameRowValue(a.IPv4.row, b.IPv4.row) && sameRowValue(a.IPv6.row, b.IPv6.row));
}

/** The facts where no entry resolves: drop (rule 4.3). */
const DROP_FACTS: GatewayFacts = {
  gatewayIP: DROP_GATEWAY,
  egressIPs: { IPv4: unspecified("IPv4"), IPv6: unspecified("IPv6") },
  ifindex: 0,
};

/** A gateway with the number by which endpoints remember it, never its place in a list. */
export interface GatewayState {
  readonly id: number;
  gateway: Gateway;
  value: GatewayValue;
  /** The value before this step. */
  valueBefore: GatewayValue;
}

export class PolicyState {
  /** Unique among living policies; policy sets are named by it. */
  readonly number: number;
  policy: Policy;
  readonly members = new Members();
  /** In rule 5.1's order. */
  gateways: readonly GatewayState[] = [];
  /** True if this node is one of the gateways. */
  local = false;
  localBefore = false;
  readonly needed: readonly Family[];
  readonly nodeSelectors: readonly Selector[];
  gone = false;
  /** The value while no entry resolves. */
  readonly drop: GatewayValue;
  /** The strategy in force and its choice; undefined before the first distribution. */
  distribution: Distribution | undefined;
  choose: ((slot: number, rank: number) => number) | undefined;
  /** Slots to insert in this step, in order. */
  readonly arriving: number[] = [];
  /** From this place on ranks changed in this step; Infinity: none. */
  changedFrom = Number.POSITIVE_INFINITY;

  constructor(number: number, policy: Policy) {
    this.number = number;
    this.policy = policy;
    this.drop = makeGatewayValue(policy.name, DROP_FACTS);
    this.needed = neededFamilies(policy);
    this.nodeSelectors = policy.rules.flatMap(({ node }) => (node === undefined ? [] : [node]));
  }
}

/** Numbers of policies; one that is released is reused a step later. */
export class PolicyNumbers {
  readonly #free: number[] = [];
  #released: number[] = [];
  #end = 0;

  next(): number {
    return this.#free.pop() ?? this.#end++;
  }

  release(number: number): void {
    this.#released.push(number);
  }

  begin(): void {
    this.#free.push(...this.#released);
    this.#released = [];
  }
}

/** Older first: the one that wins identical rows (rule 7.3). */
export function comparePrecedence(a: Policy, b: Policy): number {
  return a.createdAt - b.createdAt || compareBytes(a.name, b.name);
}

/**
 * True if both versions select the same endpoints with the same rows, whatever their gateways;
 * the order of rules means nothing.
 */
export function sameSelection(a: Policy, b: Policy): boolean {
  return selectionText(a) === selectionText(b);
}

function selectionText({ createdAt, rules, destinations, exclusions }: Policy): string {
  const sorted = rules.map((rule) => JSON.stringify([rule.pod, rule.namespace, rule.node])).sort();
  return JSON.stringify([createdAt, sorted, destinations, exclusions]);
}

/** The gateways by id, for every policy; id 0 stands for "no entry resolves". */
export class GatewayRegistry {
  readonly #states: (GatewayState | undefined)[] = [undefined];
  readonly #free: number[] = [];

  create(gateway: Gateway, value: GatewayValue): GatewayState {
    const id = this.#free.pop() ?? this.#states.length;
    const state = { id, gateway, value, valueBefore: value };
    this.#states[id] = state;
    return state;
  }

  /** Only when no endpoint and no unread difference names it any more. */
  release(id: number): void {
    this.#states[id] = undefined;
    this.#free.push(id);
  }

  /** A gateway that some endpoint has; `id` is not 0. */
  get(id: number): GatewayState {
    return present(this.#states[id], "a gateway that an endpoint has");
  }
}
