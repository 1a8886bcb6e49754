// What becomes of an endpoint's packets to one destination: is it inside the cluster (rule 8.2),
// which policies claim it and which claim wins (rules 7.3, 7.4), and what the rows of the
// endpoint's node and the gateway then do (rule 8.3). A destination is a prefix; an address is one
// of full length.

import { assert, present, unreachable } from "../lib/assert.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import { LpmTable } from "../net/lpm.ts";
import type { Prefix } from "../net/prefix.ts";
import { containsPrefix, prefixAddress, prefixFamily, prefixLength } from "../net/prefix.ts";
import { ISSUE_CODES } from "../model/issue.ts";
import type { Policy } from "../model/policy.ts";
import type {
  AssignmentExplanation,
  Claim,
  Defeat,
  DestinationExplanation,
  EgressExplanation,
  Outcome,
} from "../plan/explanation.ts";
import type { Row } from "../plan/row.ts";
import { EXCLUDED_GATEWAY } from "../plan/row.ts";
import type { Verdict } from "../plan/verdict.ts";
import { verdictOf } from "../plan/verdict.ts";
import type { ClusterSurroundings } from "./explain-place.ts";
import { placeInCluster } from "./explain-place.ts";

/** What is known around an endpoint when its destinations are judged. */
export interface DestinationContext {
  readonly cluster: ClusterSurroundings;
  /** The endpoint's addresses, less those that newer endpoints have. */
  readonly addresses: readonly Address[];
  /** The endpoint's node and its internal IPv4 address. */
  readonly node: string;
  readonly nodeIP: Address | undefined;
  /** The policies that select the endpoint. */
  readonly selecting: readonly { policy: Policy; assignment: AssignmentExplanation }[];
  /** All rows of these addresses on the endpoint's node. */
  readonly rows: readonly Row[];
  /** Endpoints without room in a node's maps, by node (rule 7.9). */
  readonly heldEndpoints: ReadonlyMap<string, number>;
}

/** What the policies claim of `prefix` and what happens to packets to it. O(rows + claims). */
export function explainDestination(
  prefix: Prefix,
  context: DestinationContext,
): DestinationExplanation {
  const family = prefixFamily(prefix);
  const sources = context.addresses.filter((address) => familyOf(address) === family);
  const policies = context.selecting.map(({ policy }) => policy);
  const claims = explainClaims(prefix, policies);
  const place = placeInCluster(prefix, context.cluster);
  const told = { prefix, sources, claims };
  if (place !== undefined) {
    return { ...told, verdict: undefined, outcome: { kind: "untouched", place } };
  }
  const source = sources[0];
  if (source === undefined) {
    return { ...told, verdict: undefined, outcome: { kind: "no-source", family } };
  }
  if (isHeld(context)) {
    return { ...told, verdict: undefined, outcome: heldOutcome(context.node) };
  }
  const verdict = judge(prefix, source, { claims, context });
  return { ...told, verdict, outcome: outcomeOf(verdict, context) };
}

/** True if the maps of the endpoint's node have no room for it: all of its rows are missing. */
function isHeld({ rows, selecting, addresses, node, heldEndpoints }: DestinationContext): boolean {
  if (rows.length > 0) return false;
  const families = new Set(addresses.map(familyOf));
  const wants = selecting.some(({ policy: { destinations, exclusions } }) =>
    [...destinations, ...exclusions].some((prefix) => families.has(prefixFamily(prefix))),
  );
  assert(!wants || (heldEndpoints.get(node) ?? 0) > 0, "rows are missing only where a map is full");
  return wants;
}

/** New connections to the outside wait until there is room (rules 7.9, 8.7). */
function heldOutcome(node: string): Outcome {
  const problem = "its node's policy map has no room for its rows";
  const { remedy } = ISSUE_CODES.MapFull;
  return { kind: "drop", reason: "MapFull", node, tunnelled: false, problem, remedy };
}

/** Rule 7.3: the longest prefix, of equal ones the older policy, in one policy the exclusion. */
function explainClaims(prefix: Prefix, policies: readonly Policy[]): Claim[] {
  const made = policies.flatMap(({ name, createdAt, destinations, exclusions }) => {
    const claim = (exclusion: boolean) => (claimed: Prefix) =>
      containsPrefix(claimed, prefix)
        ? [{ policy: name, createdAt, prefix: claimed, exclusion }]
        : [];
    return [...destinations.flatMap(claim(false)), ...exclusions.flatMap(claim(true))];
  });
  made.sort(
    (a, b) =>
      prefixLength(b.prefix) - prefixLength(a.prefix) ||
      a.createdAt - b.createdAt ||
      compareBytes(a.policy, b.policy) ||
      Number(b.exclusion) - Number(a.exclusion),
  );
  return made.map(({ policy, prefix: claimed, exclusion }, i) => ({
    policy,
    prefix: claimed,
    exclusion,
    defeat: i === 0 ? undefined : defeatOf(present(made[i], "claim"), present(made[0], "winner")),
  }));
}

function defeatOf(claim: Rival, winner: Rival): Defeat {
  // All claims cover one destination, so those of equal length are the same prefix.
  if (winner.prefix !== claim.prefix) return "LongerPrefix";
  return winner.policy === claim.policy ? "OwnExclusion" : "OlderPolicy";
}

type Rival = Pick<Claim, "policy" | "prefix">;

/** The verdict of the rows, which must hold what the winning claims say. */
function judge(
  prefix: Prefix,
  source: Address,
  { claims, context }: { claims: readonly Claim[]; context: DestinationContext },
): Verdict {
  const table = new LpmTable<Row>();
  for (const row of context.rows) {
    if (row.source === source && containsPrefix(row.destination, prefix)) {
      table.set(row.destination, row);
    }
  }
  const destination = prefixAddress(prefix);
  const row = table.lookup(destination)?.value;
  const winner = claims[0];
  assert(row?.destination === winner?.prefix, "the row that wins is the claim that wins");
  assert(row?.policy === winner?.policy, "the row that wins is of the policy that wins");
  const excluded = winner === undefined || !winner.exclusion || row?.gatewayIP === EXCLUDED_GATEWAY;
  assert(excluded, "an exclusion's row says so");
  return verdictOf(table, destination, context.nodeIP);
}

function outcomeOf(verdict: Verdict, context: DestinationContext): Outcome {
  switch (verdict.kind) {
    case "direct": {
      const selected = context.selecting.length > 0;
      return { kind: "ordinary", reason: selected ? "NotCovered" : "NotSelected" };
    }
    case "excluded":
      return { kind: "ordinary", reason: "Excluded" };
    case "drop":
    case "local":
    case "tunnel":
      return policyOutcome(verdict, context);
    default:
      return unreachable(verdict);
  }
}

type PolicyVerdict = Extract<Verdict, { kind: "drop" | "local" | "tunnel" }>;

/** What the winning row's policy does; a gateway elsewhere derives its own egress IP. */
function policyOutcome(
  verdict: PolicyVerdict,
  { selecting, node, heldEndpoints }: DestinationContext,
): Outcome {
  const name = verdict.row.policy;
  const policy = present(
    selecting.find((one) => one.policy.name === name),
    "the policy of the winning row",
  );
  const { gateway, gateways } = policy.assignment;
  if (gateway === undefined) {
    const problem = `no gateway entry of policy ${name} resolves to a node`;
    const { remedy } = ISSUE_CODES.NoGateway;
    return { kind: "drop", reason: "NoGateway", node, tunnelled: false, problem, remedy };
  }
  assert(verdict.row.gatewayIP === gateway.gatewayIP, "the row names the assigned gateway");
  const resolution = gateways.find(({ entry }) => entry === gateway.entry)?.resolution;
  assert(resolution?.kind === "resolved", "the assigned entry resolves");
  const tunnelled = verdict.kind === "tunnel";
  const at = { node: gateway.node, tunnelled };
  const egressIP = egressOf(verdict, resolution.egress);
  if (egressIP === undefined) {
    const problem = resolution.egress?.problem ?? `${gateway.node} has no egress IP for it`;
    const { remedy } = ISSUE_CODES.NoEgressIP;
    return { kind: "drop", reason: "NoEgressIP", ...at, problem, remedy };
  }
  const heldThere = tunnelled ? (heldEndpoints.get(gateway.node) ?? 0) : 0;
  return { kind: "leaves", ...at, gatewayIP: gateway.gatewayIP, egressIP, heldThere };
}

/** Of the source's family; null: unknown, undefined: none. A gateway elsewhere has its own rows. */
function egressOf(
  verdict: PolicyVerdict,
  egress: EgressExplanation | undefined,
): Address | null | undefined {
  if (verdict.kind === "drop") return undefined;
  if (verdict.kind === "local") return verdict.egressIP;
  if (egress === undefined) return null;
  const family = familyOf(verdict.row.source);
  return egress.addresses.find((address) => familyOf(address) === family);
}
