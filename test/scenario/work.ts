// What a turn may cost. The model emits exactly the differences between its old and its new state.
// The engine touches no endpoint but
//   - those that changed, or claim an address that a changed one claims or claimed (rule 3.7),
//   - those on a node that some policy's nodeSelectors begin or cease to match (rule 3.4),
//   - those that a changed policy selects or selected, its nodeSelectors aside,
// and, counted for each policy, members that moved or whose rows here carry another egress IP. So
// what concerns nobody touches nobody (rule 5.8).

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Change } from "../../src/model/change.ts";
import type { ModelDelta, ModelView } from "../../src/model/delta.ts";
import type { Endpoint, EndpointKey } from "../../src/model/endpoint.ts";
import type { Labels } from "../../src/model/labels.ts";
import { NO_LABELS } from "../../src/model/labels.ts";
import type { Policy } from "../../src/model/policy.ts";
import { selectorMatches } from "../../src/model/selector.ts";
import type { Step } from "../../src/engine/engine.ts";
import type {
  Reference,
  ReferenceAssignment,
  ReferenceGateway,
} from "../../src/engine/reference.ts";
import type { Moment } from "./world.ts";

interface Span<T> {
  readonly before: T;
  readonly after: T;
}

/** The delta must be the difference between the two states, each change once. */
export function checkDelta(delta: ModelDelta, { before, after }: Span<ModelView>): void {
  checkChanges(delta.policies, { before: before.policies, after: after.policies });
  checkChanges(delta.endpoints, { before: before.endpoints, after: after.endpoints });
  checkChanges(delta.nodes, { before: before.nodes, after: after.nodes });
  checkChanges(delta.states, { before: before.states, after: after.states });
}

function checkChanges<K, V>(
  changes: readonly Change<K, V>[],
  { before, after }: Span<ReadonlyMap<K, V>>,
): void {
  const keys = new Set([...before.keys(), ...after.keys()]);
  const changed = [...keys].filter((key) => !isDeepStrictEqual(before.get(key), after.get(key)));
  assert.deepEqual(changes.map(({ key }) => key).sort(), changed.sort(), "the keys that changed");
  for (const { key, value } of changes) assert.deepEqual(value, after.get(key));
}

/** Holds the counters of a step to the bound above. */
export function checkWork(
  delta: ModelDelta,
  counters: Step["counters"],
  { before, after, changes }: Span<Moment> & { readonly changes: number },
): void {
  assert.equal(counters.rows, changes, "row changes as counted");
  const span = { before, after };
  const [least, likely] = [moves(span, gatewayText).length, moves(span, entryText).length];
  assert.ok(counters.moves >= least, `${counters.moves} moves, not ${least} at least`);
  assert.ok(counters.moves <= likely, `${counters.moves} moves, not ${likely} at most`);
  // Whoever may be looked at as a whole counts once, or as often as it moved.
  const moved = moves(span, valueText).map(({ endpoint }) => endpoint);
  const movers = new Set(moved);
  const spared = [...touchedEndpoints(delta, span)].filter((key) => !movers.has(key));
  const most = moved.length + spared.length;
  assert.ok(counters.endpoints <= most, `${counters.endpoints} endpoints touched, not ${most}`);
}

/** Those that may be looked at again as a whole. */
function touchedEndpoints(delta: ModelDelta, { before, after }: Span<Moment>): Set<EndpointKey> {
  const touched = new Set(delta.endpoints.map(({ key }) => key));
  const views = [before.view, after.view];
  const addresses = new Set(
    views.flatMap(({ endpoints }) => {
      return [...touched].flatMap((key) => endpoints.get(key)?.addresses ?? []);
    }),
  );
  const nodes = new Set(delta.nodes.map(({ key }) => key).filter((name) => rematched(name, views)));
  const policies = delta.policies.flatMap(({ key }) =>
    views.flatMap((view) => view.policies.get(key) ?? []),
  );
  for (const endpoint of views.flatMap((view) => [...view.endpoints.values()])) {
    const concerned =
      nodes.has(endpoint.node) ||
      endpoint.addresses.some((address) => addresses.has(address)) ||
      policies.some((policy) => selectsPod(policy, endpoint));
    if (concerned) touched.add(endpoint.key);
  }
  return touched;
}

/** True if some policy's nodeSelectors, be it old or new, begin or cease to match this node. */
function rematched(name: string, views: readonly ModelView[]): boolean {
  const labels = views.map(({ nodes }) => nodes.get(name)?.labels ?? NO_LABELS);
  const policies = views.flatMap((view) => [...view.policies.values()]);
  return policies.some((policy) => {
    const [before, after] = labels.map((one) => matchesNode(policy, one));
    return before !== after;
  });
}

function matchesNode({ rules }: Policy, labels: Labels): boolean {
  return rules.some(({ node }) => node !== undefined && selectorMatches(node, labels));
}

function selectsPod({ rules }: Policy, { labels }: Endpoint): boolean {
  return rules.some(
    ({ pod, namespace }) =>
      selectorMatches(pod ?? [], labels) && selectorMatches(namespace ?? [], labels),
  );
}

type TextOf = (assignment: ReferenceAssignment, reference: Reference) => string;

/** Pairs of endpoint and policy that began, ended or changed their text. */
function moves({ before, after }: Span<Moment>, textOf: TextOf): ReferenceAssignment[] {
  const texts = ({ reference }: Moment) => {
    const { assignments } = reference;
    return new Map(assignments.map((one) => [pairOf(one), textOf(one, reference)]));
  };
  const [old, now] = [texts(before), texts(after)];
  const pairs = [...before.reference.assignments, ...after.reference.assignments];
  const unique = new Map(pairs.map((one) => [pairOf(one), one]));
  return [...unique.values()].filter((one) => old.get(pairOf(one)) !== now.get(pairOf(one)));
}

function pairOf({ policy, endpoint }: ReferenceAssignment): string {
  return `${policy} ${endpoint}`;
}

const gatewayText: TextOf = ({ gateway }) => identity(gateway);

function identity(gateway: ReferenceGateway | undefined): string {
  if (gateway === undefined) return "drop";
  const { node, gatewayIP, entry } = gateway;
  return JSON.stringify([node, gatewayIP, entry.egressIPText, entry.interface]);
}

/** Entries that differ in nothing but their place may count as different gateways. */
const entryText: TextOf = ({ policy, gateway }, { gateways }) => {
  const text = identity(gateway);
  const alike = (gateways.get(policy) ?? []).filter((one) => identity(one) === text);
  return `${text} ${alike.findIndex((one) => one === gateway)} of ${alike.length}`;
};

/** What rows here may follow from. */
const valueText: TextOf = (assignment, reference) => {
  const { carrier } = assignment;
  const carried = carrier === undefined ? "nothing" : JSON.stringify(carrier.egress ?? "unknown");
  return `${entryText(assignment, reference)} ${carried}`;
};
