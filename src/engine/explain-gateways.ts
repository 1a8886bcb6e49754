// Which node each entry of a policy's gateway list resolves to and why (rule 4), which egress IPs
// it has there (rule 6), and how the distribution chose one of them for an endpoint (rule 5).

import { assert, present, unreachable } from "../lib/assert.ts";
import { fnv1a32 } from "../lib/hash.ts";
import { sameList } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { FAMILIES } from "../net/address.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Node, NodeState } from "../model/node.ts";
import type { Distribution, GatewayEntry, Policy } from "../model/policy.ts";
import { gatewayPath, neededFamilies } from "../model/policy.ts";
import { selectorMatches } from "../model/selector.ts";
import type {
  AssignmentExplanation,
  Choice,
  EgressExplanation,
  GatewayExplanation,
  NearNode,
  Resolution,
} from "../plan/explanation.ts";
import type { PlanGateway } from "../plan/plan.ts";
import { deriveEgress } from "./egress.ts";
import { failedRequirements } from "./explain-selection.ts";
import type { Gateway } from "./gateway.ts";
import { compareGateways, makeGateway } from "./gateway.ts";
import {
  ciliumHash,
  ciliumOrder,
  rendezvousScore,
  rendezvousWinner,
  roundRobin,
} from "./strategy.ts";

/** How many nodes an entry that matches none is compared with. */
const NEAREST_MAX = 3;

/** What the plan says of one endpoint under one policy. */
export interface PlannedAssignment {
  readonly gateway: PlanGateway | undefined;
  /** The endpoint's place in rule 5.4's order, from 0, among the policy's `endpoints`. */
  readonly rank: number;
  readonly endpoints: number;
  /** All resolved entries, in rule 5.1's order. */
  readonly gateways: readonly PlanGateway[];
}

export interface Surroundings {
  /** Sorted by name. */
  readonly nodes: readonly Node[];
  readonly states: ReadonlyMap<string, NodeState>;
  readonly defaultDistribution: Distribution;
}

/** Reasons come from the rules, the result from the plan; that both agree is asserted. */
export function explainAssignment(
  policy: Policy,
  endpoint: Endpoint,
  planned: PlannedAssignment,
  { nodes, states, defaultDistribution }: Surroundings,
): AssignmentExplanation {
  const resolved = policy.gateways.map((entry) => ({
    entry,
    resolution: resolve(entry, policy, { nodes, states }),
  }));
  const ordered = resolved
    .flatMap(({ entry, resolution: to }) =>
      to.kind === "resolved" ? makeGateway(entry, to.node, to.gatewayIP) : [],
    )
    .sort(compareGateways);
  const gateways = resolved.map(({ entry, resolution }): GatewayExplanation => ({
    entry: entry.entry,
    path: gatewayPath(policy, entry.entry),
    nodeSelector: entry.nodeSelector,
    resolution,
  }));
  assertSameGateways(ordered, gateways, planned.gateways);
  const distribution = policy.distribution ?? defaultDistribution;
  const { choice, place } = choose(distribution, endpoint, ordered, planned);
  const chosen = place === undefined ? undefined : ordered[place];
  assert(chosen?.entry.entry === planned.gateway?.entry, "the strategy and the plan agree");
  return {
    gateways,
    distribution,
    distributionFrom: policy.distribution === undefined ? "default" : "annotation",
    order: ordered.map(({ entry }) => entry.entry),
    choice,
    gateway: planned.gateway,
  };
}

/** The first matching node by name that has an internal IPv4 address (rule 4.1). */
function resolve(
  entry: GatewayEntry,
  policy: Policy,
  { nodes, states }: Pick<Surroundings, "nodes" | "states">,
): Resolution {
  const matching = nodes.filter(({ labels }) => selectorMatches(entry.nodeSelector, labels));
  if (matching.length === 0) return { kind: "no-match", nearest: nearestNodes(entry, nodes) };
  const names = matching.map(({ name }) => name);
  const place = matching.findIndex(({ internalIPv4 }) => internalIPv4 !== undefined);
  const node = matching[place];
  if (node?.internalIPv4 === undefined) return { kind: "no-address", nodes: names };
  return {
    kind: "resolved",
    node: node.name,
    gatewayIP: node.internalIPv4,
    alsoMatched: names.slice(place + 1),
    skipped: names.slice(0, place),
    egress: explainEgress(entry, policy, states.get(node.name)),
  };
}

function nearestNodes(entry: GatewayEntry, nodes: readonly Node[]): NearNode[] {
  return nodes
    .map(({ name, labels }) => ({
      node: name,
      failed: failedRequirements(entry.nodeSelector, labels),
    }))
    .sort((a, b) => a.failed.length - b.failed.length || compareBytes(a.node, b.node))
    .slice(0, NEAREST_MAX);
}

function explainEgress(
  entry: GatewayEntry,
  policy: Policy,
  state: NodeState | undefined,
): EgressExplanation | undefined {
  const egress = deriveEgress(entry, neededFamilies(policy), state);
  if (egress === undefined) return undefined;
  return {
    rule: entry.interface !== "" ? "6.1" : entry.egressIP !== undefined ? "6.2" : "6.3",
    interface: egress.interface,
    addresses: FAMILIES.flatMap((family) => egress.addresses[family] ?? []),
    problem: egress.problem,
  };
}

function assertSameGateways(
  ordered: readonly Gateway[],
  explained: readonly GatewayExplanation[],
  planned: readonly PlanGateway[],
): void {
  assert(ordered.length === planned.length, "the plan has as many resolved entries");
  for (const [i, { entry, node }] of ordered.entries()) {
    const other = present(planned[i], "gateway");
    assert(other.entry === entry.entry && other.node === node, "entries resolve as in the plan");
    const resolution = present(explained[entry.entry], "entry").resolution;
    const egress = resolution.kind === "resolved" ? resolution.egress : undefined;
    assert(sameAddresses(egress?.addresses, other.egressIPs), "egress IPs are as in the plan");
  }
}

function sameAddresses(
  a: readonly Address[] | undefined,
  b: readonly Address[] | null,
): boolean {
  return a === undefined || b === null ? a === undefined && b === null : sameList(a, b);
}

/** `place` is the winner's place in rule 5.1's order; undefined: there is none. */
function choose(
  distribution: Distribution,
  endpoint: Endpoint,
  gateways: readonly Gateway[],
  { rank, endpoints }: PlannedAssignment,
): { choice: Choice; place: number | undefined } {
  if (gateways.length === 0) return { choice: { kind: "none" }, place: undefined };
  switch (distribution) {
    case "round-robin":
      return {
        choice: { kind: distribution, rank, endpoints },
        place: roundRobin(rank, gateways.length),
      };
    case "cilium-hash": {
      const predictable = endpoint.ciliumUid !== "";
      const uid = predictable ? endpoint.ciliumUid : endpoint.key;
      const hash = fnv1a32(uid);
      const index = ciliumHash(hash, gateways.length);
      const places = ciliumOrder(gateways);
      const order = places.map((place) => (gateways[place] as Gateway).entry.entry);
      const choice = { kind: distribution, uid, predictable, hash, index, order } as const;
      return { choice, place: places[index] };
    }
    case "rendezvous": {
      const uidHash = fnv1a32(endpoint.key);
      const scores = gateways.map(({ entry, node, keyHash }) => ({
        entry: entry.entry,
        key: `${node}|${entry.egressIPText}|${entry.interface}`,
        score: rendezvousScore(uidHash, keyHash),
      }));
      return {
        choice: { kind: distribution, uid: endpoint.key, scores },
        place: rendezvousWinner(uidHash, gateways),
      };
    }
    default:
      return unreachable(distribution);
  }
}
