// What changes between two plans: who moves to another gateway, who starts or stops using one,
// which gateways change their addresses under their endpoints, how the maps fill. A pure function.

import { sameList, sameValue } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { EndpointKey } from "../model/endpoint.ts";
import type { Distribution } from "../model/policy.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Assignment, Condition, NodeCapacity, Plan, PlanGateway, PlanPolicy } from "./plan.ts";

/** A value in the old and in the new plan; undefined: not there. */
export interface BeforeAfter<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** An endpoint whose gateway changes; a gateway undefined: its traffic is dropped. */
export interface Move {
  readonly assignment: Assignment;
  readonly before: PlanGateway | undefined;
  readonly after: PlanGateway | undefined;
}

/** A gateway that keeps its endpoints and changes an address or the device under them. */
export interface GatewayChange {
  readonly before: PlanGateway;
  readonly after: PlanGateway;
  /** How many endpoints keep it. */
  readonly endpoints: number;
}

export interface AddressChange {
  readonly assignment: Assignment;
  readonly before: readonly Address[];
  readonly after: readonly Address[];
}

/** What a policy says and how many endpoints it selects. */
export interface PolicyTerms {
  readonly distribution: Distribution;
  readonly destinations: readonly Prefix[];
  readonly exclusions: readonly Prefix[];
  readonly endpoints: number;
  readonly conditions: readonly Condition[];
}

export interface PolicyDiff extends BeforeAfter<PolicyTerms> {
  readonly name: string;
  /** In the order of the new plan. */
  readonly moves: readonly Move[];
  /** Endpoints that the policy selects now, and did not before. */
  readonly starts: readonly Assignment[];
  /** Endpoints that the policy selected before, and does not now; in the old plan's order. */
  readonly stops: readonly Assignment[];
  /** Sorted by node. */
  readonly gatewayChanges: readonly GatewayChange[];
  readonly addressChanges: readonly AddressChange[];
  /** Every gateway of either plan, with its endpoints in both; sorted by node, then address. */
  readonly gateways: readonly BeforeAfter<PlanGateway>[];
}

export interface NodeDiff extends BeforeAfter<NodeCapacity> {
  readonly node: string;
}

export interface PlanDiff {
  /** Policies with a difference, sorted by name. */
  readonly policies: readonly PolicyDiff[];
  /** Every node that has rows in either plan, sorted by name. */
  readonly nodes: readonly NodeDiff[];
  readonly mapSize: { readonly before: number; readonly after: number };
}

/** Compares two plans. Endpoints are matched by key. O(assignments). */
export function diffPlans(before: Plan, after: Plan): PlanDiff {
  const old = groupByPolicy(before);
  const now = groupByPolicy(after);
  const names = [...new Set([...old.keys(), ...now.keys()])].sort(compareBytes);
  const policies = names
    .map((name) => diffPolicy(name, old.get(name), now.get(name)))
    .filter((policy) => policyDiffers(policy));
  return {
    policies,
    nodes: diffNodes(before.capacity.nodes, after.capacity.nodes),
    mapSize: { before: before.capacity.mapSize, after: after.capacity.mapSize },
  };
}

/** True if nothing changes. Reordering lists changes nothing: `entry` does not count. */
export function isEmptyDiff(diff: PlanDiff): boolean {
  return (
    diff.policies.length === 0 &&
    diff.mapSize.before === diff.mapSize.after &&
    diff.nodes.every((node) => sameValue(node.before, node.after))
  );
}

interface PolicySide {
  readonly policy: PlanPolicy;
  readonly assignments: Map<EndpointKey, Assignment>;
}

function groupByPolicy(plan: Plan): Map<string, PolicySide> {
  const sides = new Map<string, PolicySide>();
  for (const policy of plan.policies) {
    sides.set(policy.name, { policy, assignments: new Map() });
  }
  for (const one of plan.assignments) {
    sides.get(one.policy)?.assignments.set(one.endpoint.key, one);
  }
  return sides;
}

function diffPolicy(
  name: string,
  old: PolicySide | undefined,
  now: PolicySide | undefined,
): PolicyDiff {
  const starts: Assignment[] = [];
  const moves: Move[] = [];
  const addressChanges: AddressChange[] = [];
  const changes = new GatewayChanges(old?.policy.gateways ?? [], now?.policy.gateways ?? []);
  for (const [key, assignment] of now?.assignments ?? []) {
    const was = old?.assignments.get(key);
    if (was === undefined) {
      starts.push(assignment);
      continue;
    }
    if (!sameList(was.addresses, assignment.addresses)) {
      addressChanges.push({ assignment, before: was.addresses, after: assignment.addresses });
    }
    const [before, after] = [was.gateway, assignment.gateway];
    if (siteText(before) === siteText(after) || changes.keeps(before, after)) continue;
    moves.push({ assignment, before, after });
  }
  const stops = [...(old?.assignments ?? [])].filter(([key]) => !now?.assignments.has(key));
  return {
    name,
    before: old && termsOf(old.policy),
    after: now && termsOf(now.policy),
    moves,
    starts,
    stops: stops.map(([, assignment]) => assignment),
    gatewayChanges: changes.all(),
    addressChanges,
    gateways: diffGateways(old?.policy.gateways ?? [], now?.policy.gateways ?? []),
  };
}

/** Tells gateways that change in place from endpoints that move between gateways of one node. */
class GatewayChanges {
  readonly #old: ReadonlySet<string>;
  readonly #now: ReadonlySet<string>;
  readonly #found = new Map<string, GatewayChange>();

  constructor(old: readonly PlanGateway[], now: readonly PlanGateway[]) {
    this.#old = new Set(old.map(siteText));
    this.#now = new Set(now.map(siteText));
  }

  /** True, and counted, if `after` is what became of `before`, which differs from it. */
  keeps(before: PlanGateway | undefined, after: PlanGateway | undefined): boolean {
    if (before === undefined || after === undefined || before.node !== after.node) return false;
    // Where one of them is in both plans, both are gateways of their own: that is a move.
    if (this.#now.has(siteText(before)) || this.#old.has(siteText(after))) return false;
    const pair = `${siteText(before)} ${siteText(after)}`;
    const endpoints = (this.#found.get(pair)?.endpoints ?? 0) + 1;
    this.#found.set(pair, { before, after, endpoints });
    return true;
  }

  all(): GatewayChange[] {
    return [...this.#found.values()].sort(
      (a, b) => compareSites(a.before, b.before) || compareSites(a.after, b.after),
    );
  }
}

const siteTexts = new WeakMap<PlanGateway, string>();

/** What makes a gateway the same one: everything but its place in the list and its load. */
function siteText(gateway: PlanGateway | undefined): string {
  if (gateway === undefined) return "";
  let text = siteTexts.get(gateway);
  if (text === undefined) {
    const { node, gatewayIP, interface: device, egressIPs } = gateway;
    siteTexts.set(gateway, (text = JSON.stringify([node, gatewayIP, device, egressIPs])));
  }
  return text;
}

function compareSites(a: PlanGateway, b: PlanGateway): number {
  return compareBytes(a.node, b.node) || compareBytes(siteText(a), siteText(b));
}

function termsOf(policy: PlanPolicy): PolicyTerms {
  const { distribution, destinations, exclusions, endpoints, conditions } = policy;
  return { distribution, destinations, exclusions, endpoints, conditions };
}

/** Pairs equal gateways; of several alike the first with the first, and so on. */
function diffGateways(
  old: readonly PlanGateway[],
  now: readonly PlanGateway[],
): BeforeAfter<PlanGateway>[] {
  const rest = [...now].sort(compareSites);
  const pairs: BeforeAfter<PlanGateway>[] = [...old].sort(compareSites).map((before) => {
    const place = rest.findIndex((one) => siteText(one) === siteText(before));
    return { before, after: place < 0 ? undefined : rest.splice(place, 1)[0] };
  });
  for (const after of rest) pairs.push({ before: undefined, after });
  return pairs.sort((a, b) => compareSites(eitherOf(a), eitherOf(b)));
}

function eitherOf<T>({ before, after }: BeforeAfter<T>): T {
  return (before ?? after) as T;
}

function policyDiffers(policy: PolicyDiff): boolean {
  const { moves, starts, stops, gatewayChanges, addressChanges } = policy;
  const lists = [moves, starts, stops, gatewayChanges, addressChanges];
  return (
    lists.some((list) => list.length > 0) ||
    !sameValue(policy.before, policy.after) ||
    policy.gateways.some(({ before, after }) => before === undefined || after === undefined)
  );
}

function diffNodes(old: readonly NodeCapacity[], now: readonly NodeCapacity[]): NodeDiff[] {
  const before = new Map(old.map((one) => [one.node, one]));
  const after = new Map(now.map((one) => [one.node, one]));
  const names = [...new Set([...before.keys(), ...after.keys()])].sort(compareBytes);
  return names.map((node) => ({ node, before: before.get(node), after: after.get(node) }));
}
