// Why an endpoint's packets leave as they do: collects the reasons of every step of the engine for
// one endpoint. Results come from the plan; the reasons are found from the model anew, and where
// both speak of the same thing they must agree. O(endpoints + assignments + rows of the node).

import { assert, present } from "../lib/assert.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { bitsOf, comparePrefixes, prefixOf } from "../net/prefix.ts";
import type { ClusterPrefixes } from "../model/cluster-prefixes.ts";
import type { ModelView } from "../model/delta.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { NO_LABELS } from "../model/labels.ts";
import type { Distribution, Policy } from "../model/policy.ts";
import type {
  AssignmentExplanation,
  EndpointExplanation,
  Explanation,
  PolicyExplanation,
} from "../plan/explanation.ts";
import type { Plan } from "../plan/plan.ts";
import type { DestinationContext } from "./explain-destination.ts";
import { explainDestination } from "./explain-destination.ts";
import type { PlannedAssignment, Surroundings } from "./explain-gateways.ts";
import { explainAssignment } from "./explain-gateways.ts";
import { sortedRanges, sortedServices } from "./explain-place.ts";
import { explainSelection } from "./explain-selection.ts";

export interface ExplainInput {
  readonly view: ModelView;
  /** Of the same model, with the rows of the endpoint's node. */
  readonly plan: Plan;
  readonly endpoint: Endpoint;
  /** Undefined: explain every prefix of the policies that select the endpoint. */
  readonly destination: Address | undefined;
  /** What is inside the cluster (rule 8.2), `clusterCidrs` included. */
  readonly inside: ClusterPrefixes;
  /** What belongs to the cluster beside that which its objects say. */
  readonly clusterCidrs: readonly Prefix[];
  /** For policies without the annotation (rule 5.6). */
  readonly defaultDistribution: Distribution;
}

/**
 * All reasons for one endpoint, for one destination or for all that its policies speak of. Fails an
 * assertion where the plan is not of this model or has the rows of another node.
 */
export function explain(input: ExplainInput): Explanation {
  const { view, plan, endpoint, destination } = input;
  assert(plan.node === endpoint.node, "the plan has the rows of the endpoint's node");
  const holders = addressHolders(view.endpoints.values());
  const nodes = [...view.nodes.values()].sort((a, b) => compareBytes(a.name, b.name));
  const policies = explainPolicies(input, { ...input, nodes, states: view.states });
  const selecting = policies.flatMap(({ policy, explained: { assignment } }) =>
    assignment === undefined ? [] : [{ policy, assignment }],
  );
  const context: DestinationContext = {
    cluster: {
      inside: input.inside,
      clusterCidrs: input.clusterCidrs,
      nodes,
      holders,
      services: sortedServices(view),
      ranges: sortedRanges(view),
    },
    addresses: endpoint.addresses.filter((address) => holders.get(address)?.key === endpoint.key),
    node: endpoint.node,
    nodeIP: view.nodes.get(endpoint.node)?.internalIPv4,
    selecting,
    rows: [...present(plan.rows, "rows")].filter(
      ({ source }) => holders.get(source)?.key === endpoint.key,
    ),
    heldEndpoints: new Map(
      plan.capacity.nodes.map(({ node, heldEndpoints }) => [node, heldEndpoints]),
    ),
  };
  const prefixes = destination === undefined ? allPrefixes(selecting) : [wholeOf(destination)];
  return {
    endpoint: explainEndpoint(endpoint, holders, view),
    policies: policies.map(({ explained }) => explained),
    destination,
    destinations: prefixes.map((prefix) => explainDestination(prefix, context)),
    kernels: undefined,
    issues: plan.issues.filter(
      ({ severity, object }) =>
        severity === "error" && object.startsWith("CiliumEgressGatewayPolicy/"),
    ),
  };
}

/** Which endpoint has each address: the newest, then the one with the greater key (rule 3.7). */
function addressHolders(endpoints: Iterable<Endpoint>): Map<Address, Endpoint> {
  const holders = new Map<Address, Endpoint>();
  for (const endpoint of endpoints) {
    for (const address of endpoint.addresses) {
      const other = holders.get(address);
      if (other === undefined || isNewer(endpoint, other)) holders.set(address, endpoint);
    }
  }
  return holders;
}

function isNewer(a: Endpoint, b: Endpoint): boolean {
  return a.createdAt !== b.createdAt ? a.createdAt > b.createdAt : compareBytes(a.key, b.key) > 0;
}

function explainEndpoint(
  endpoint: Endpoint,
  holders: ReadonlyMap<Address, Endpoint>,
  view: ModelView,
): EndpointExplanation {
  const node = view.nodes.get(endpoint.node);
  const lost = endpoint.addresses.flatMap((address) => {
    const to = present(holders.get(address), "holder");
    return to.key === endpoint.key ? [] : [{ address, to }];
  });
  return { endpoint, nodeKnown: node !== undefined, nodeIP: node?.internalIPv4, lost };
}

/** Sorted by name. */
function explainPolicies(
  { view, plan, endpoint }: ExplainInput,
  surroundings: Surroundings,
): { policy: Policy; explained: PolicyExplanation }[] {
  const planned = plannedAssignments(plan, endpoint);
  const nodeLabels = view.nodes.get(endpoint.node)?.labels ?? NO_LABELS;
  const policies = [...view.policies.values()].sort((a, b) => compareBytes(a.name, b.name));
  return policies.map((policy) => {
    const { selected, ...selection } = explainSelection(policy, endpoint, nodeLabels);
    const result = planned.get(policy.name);
    assert(selected === (result !== undefined), "the plan selects the same endpoints");
    let assignment: AssignmentExplanation | undefined;
    if (result !== undefined) {
      assignment = explainAssignment(policy, endpoint, result, surroundings);
    }
    const { name, createdAt } = policy;
    return { policy, explained: { name, createdAt, ...selection, assignment } };
  });
}

/** What the plan assigns to the endpoint, by policy; its rank is its place in the plan's order. */
function plannedAssignments(plan: Plan, endpoint: Endpoint): Map<string, PlannedAssignment> {
  const policies = new Map(plan.policies.map((policy) => [policy.name, policy]));
  const planned = new Map<string, PlannedAssignment>();
  let policy = "";
  let rank = 0;
  for (const assignment of plan.assignments) {
    rank = assignment.policy === policy ? rank + 1 : 0;
    policy = assignment.policy;
    if (assignment.endpoint.key !== endpoint.key) continue;
    const { endpoints, gateways } = present(policies.get(policy), "policy");
    planned.set(policy, { gateway: assignment.gateway, rank, endpoints, gateways });
  }
  return planned;
}

function allPrefixes(selecting: readonly { readonly policy: Policy }[]): Prefix[] {
  const all = selecting.flatMap(({ policy }) => [...policy.destinations, ...policy.exclusions]);
  return [...new Set(all)].sort(comparePrefixes);
}

function wholeOf(address: Address): Prefix {
  return prefixOf(address, bitsOf(familyOf(address)));
}
