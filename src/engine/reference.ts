// The naive answer to rules 3 to 7, written straight from the contract: every endpoint against
// every policy, everything sorted, nothing remembered. It is the oracle of the engine's tests and
// shares types and basic values with the engine, never its rules. O(policies x endpoints x
// prefixes).

import { fmix32, fnv1a32 } from "../lib/hash.ts";
import type { Address, Family } from "../net/address.ts";
import { compareAddresses, FAMILIES, familyOf, isLinkLocal, unspecified } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { prefixFamily } from "../net/prefix.ts";
import type { ModelView } from "../model/delta.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import type { Labels } from "../model/labels.ts";
import type { Node, NodeState } from "../model/node.ts";
import type { Distribution, GatewayEntry, Policy } from "../model/policy.ts";
import type { Requirement, Selector } from "../model/selector.ts";
import type { Row } from "../plan/row.ts";
import { compareRows, DROP_GATEWAY, EXCLUDED_GATEWAY } from "../plan/row.ts";
import type { EngineOptions } from "./options.ts";

/** A resolved entry and what it has on its node. */
export interface ReferenceGateway {
  readonly entry: GatewayEntry;
  readonly node: string;
  readonly gatewayIP: Address;
  /** Undefined: unknown, which is not the same as none (rule 6.8). */
  readonly egress: ReferenceEgress | undefined;
}

export interface ReferenceEgress {
  /** Of needed families, IPv4 first. */
  readonly addresses: readonly Address[];
  readonly ifindex: number;
}

export interface ReferenceAssignment {
  readonly policy: string;
  readonly endpoint: EndpointKey;
  /** Without those that a newer endpoint has (rule 3.7). */
  readonly addresses: readonly Address[];
  /** Undefined: no entry resolves (rule 4.3). */
  readonly gateway: ReferenceGateway | undefined;
  /** The gateway on this node whose egress IP the rows here carry (rules 7.6, 7.7). */
  readonly carrier: ReferenceGateway | undefined;
}

export interface Reference {
  /** The entries of each policy that resolve, in rule 5.1's order. */
  readonly gateways: ReadonlyMap<string, readonly ReferenceGateway[]>;
  /** Sorted by policy, then by rule 5.4. */
  readonly assignments: readonly ReferenceAssignment[];
  /** Sorted by source, then destination; empty without a scope. */
  readonly rows: readonly Row[];
}

/** Everything that the engine must say about this model. */
export function reference(view: ModelView, options: EngineOptions): Reference {
  const endpoints = [...view.endpoints.values()].sort(byAddress);
  const owners = addressOwners(endpoints);
  const resolved = new Map<string, readonly ReferenceGateway[]>();
  const assignments: ReferenceAssignment[] = [];
  const rows = new Map<string, Row | undefined>();
  for (const policy of [...view.policies.values()].sort(byAge)) {
    const gateways = resolve(policy, view);
    resolved.set(policy.name, gateways);
    const strategy = policy.distribution ?? options.distribution;
    const members = endpoints.filter((endpoint) => selects(policy, endpoint, view.nodes));
    for (const [i, endpoint] of members.entries()) {
      const addresses = endpoint.addresses.filter((one) => owners.get(one) === endpoint);
      const gateway = choose(strategy, gateways, endpoint, i);
      const carrier = carrierOf(gateway, gateways, options);
      const assigned = { policy: policy.name, endpoint: endpoint.key, addresses };
      assignments.push({ ...assigned, gateway, carrier });
      const held = holds(gateways, endpoint, options);
      for (const row of rowsOf(policy, { addresses, gateway, carrier })) {
        const key = row.source + row.destination;
        // The older policy came first and has the row, even if this node does not hold it (7.3).
        if (!rows.has(key)) rows.set(key, held ? row : undefined);
      }
    }
  }
  return {
    gateways: resolved,
    // Stable: rule 5.4's order stays within a policy.
    assignments: assignments.sort((a, b) => byBytes(a.policy, b.policy)),
    rows: [...rows.values()].filter((row) => row !== undefined).sort(compareRows),
  };
}

/** Rule 3.7: the newer endpoint has an address that two claim. */
function addressOwners(endpoints: readonly Endpoint[]): Map<Address, Endpoint> {
  const newestLast = [...endpoints].sort(
    (a, b) => a.createdAt - b.createdAt || byBytes(a.key, b.key),
  );
  return new Map(newestLast.flatMap((one) => one.addresses.map((address) => [address, one])));
}

/** Rules 3.3, 3.4: rules are ORed, nodeSelectors pooled; an unknown node has no labels. */
function selects(policy: Policy, endpoint: Endpoint, nodes: ReadonlyMap<string, Node>): boolean {
  const byPod = policy.rules.some(
    ({ pod, namespace }) =>
      (pod !== undefined || namespace !== undefined) &&
      matches(pod ?? [], endpoint.labels) &&
      matches(namespace ?? [], endpoint.labels),
  );
  const nodeSelectors = policy.rules.flatMap(({ node }) => (node === undefined ? [] : [node]));
  const labels = nodes.get(endpoint.node)?.labels ?? [];
  return byPod && (nodeSelectors.length === 0 || nodeSelectors.some((one) => matches(one, labels)));
}

function matches(selector: Selector, labels: Labels | readonly string[]): boolean {
  const value = (key: string): string | undefined =>
    labels.find((_, i) => i % 2 === 1 && labels[i - 1] === key);
  const holds: Record<Requirement["operator"], (one: Requirement) => boolean> = {
    In: ({ key, values }) => values.some((wanted) => wanted === value(key)),
    NotIn: ({ key, values }) => values.every((unwanted) => unwanted !== value(key)),
    Exists: ({ key }) => value(key) !== undefined,
    DoesNotExist: ({ key }) => value(key) === undefined,
  };
  return selector.every((requirement) => holds[requirement.operator](requirement));
}

/** Rules 4.1, 4.2: the entries that resolve, in the order of rule 5.1. */
function resolve(policy: Policy, view: ModelView): ReferenceGateway[] {
  const nodes = [...view.nodes.values()].sort((a, b) => byBytes(a.name, b.name));
  const needed = FAMILIES.filter((family) => needs(policy, family));
  const gateways = policy.gateways.flatMap((entry): ReferenceGateway[] => {
    const node = nodes.find(
      ({ internalIPv4, labels }) =>
        internalIPv4 !== undefined && matches(entry.nodeSelector, labels),
    );
    if (node?.internalIPv4 === undefined) return [];
    const state = view.states.get(node.name);
    const egress = state && egressOf(entry, needed, state);
    return [{ entry, node: node.name, gatewayIP: node.internalIPv4, egress }];
  });
  return gateways.sort((a, b) => {
    const [x, y] = [a.entry, b.entry];
    return (
      byBytes(a.node, b.node) ||
      compareAddresses(x.egressIP ?? ("" as Address), y.egressIP ?? ("" as Address)) ||
      byBytes(x.interface, y.interface) ||
      // The contract leaves two spellings of one egressIP open; 5.8 asks for an order all the same.
      byBytes(x.egressIPText, y.egressIPText) ||
      x.entry - y.entry
    );
  });
}

/** Rules 5.1 to 5.3; `i` is the endpoint's place among the policy's members. */
function choose(
  strategy: Distribution,
  gateways: readonly ReferenceGateway[],
  endpoint: Endpoint,
  i: number,
): ReferenceGateway | undefined {
  if (strategy === "round-robin") return gateways[i % gateways.length];
  if (strategy === "cilium-hash") {
    const ordered = [...gateways].sort(
      (a, b) => compareAddresses(a.gatewayIP, b.gatewayIP) || a.entry.entry - b.entry.entry,
    );
    return ordered[fnv1a32(endpoint.ciliumUid || endpoint.key) % gateways.length];
  }
  const score = ({ node, entry }: ReferenceGateway): number => {
    const key = fnv1a32(`${node}|${entry.egressIPText}|${entry.interface}`);
    return fmix32((fnv1a32(endpoint.key) ^ key) >>> 0);
  };
  const highest = Math.max(...gateways.map(score));
  return gateways.find((gateway) => score(gateway) === highest);
}

/** Rules 6.1 to 6.6. */
function egressOf(
  entry: GatewayEntry,
  needed: readonly Family[],
  state: NodeState,
): ReferenceEgress {
  const named = (name: string | undefined) =>
    state.interfaces.find((device) => device.name === name) ??
    state.interfaces.find((device) => device.altNames.some((alias) => alias === name));
  const primary = (device: ReturnType<typeof named>, family: Family): Address[] =>
    (device?.addresses ?? [])
      .filter((address) => familyOf(address) === family && !isLinkLocal(address))
      .slice(0, 1);
  const { egressIP } = entry;
  if (egressIP !== undefined) {
    const owner = state.interfaces.find(({ addresses }) => addresses.includes(egressIP));
    const addresses = needed.flatMap((family) =>
      familyOf(egressIP) === family && owner !== undefined ? [egressIP] : primary(owner, family),
    );
    return { addresses, ifindex: 0 };
  }
  const route = (family: Family) => state.defaultRoutes.find((one) => one.family === family);
  const routes = needed.map((family) => route(family)?.interface);
  const names = entry.interface === "" ? routes : needed.map(() => entry.interface);
  const first = named(names.find((name) => name !== undefined));
  const addresses = needed.flatMap((family) => primary(first, family));
  const whole = names.every((one) => named(one) === first) && addresses.length === needed.length;
  return { addresses: whole ? addresses : [], ifindex: first?.ifindex ?? 0 };
}

/** Rule 7.6: whether this node holds the rows of this endpoint under the policy of `gateways`. */
function holds(
  gateways: readonly ReferenceGateway[],
  endpoint: Endpoint,
  { scope }: EngineOptions,
): boolean {
  if (scope === undefined) return false;
  const served = gateways.some(({ node }) => node === scope.node);
  return scope.rows === "all" || endpoint.node === scope.node || served;
}

/** Rules 7.6, 7.7: the assigned gateway, or one that stands in for it on its policy's gateways. */
function carrierOf(
  gateway: ReferenceGateway | undefined,
  gateways: readonly ReferenceGateway[],
  { scope }: EngineOptions,
): ReferenceGateway | undefined {
  if (gateway === undefined || scope === undefined) return undefined;
  if (gateway.node === scope.node) return gateway;
  const local = gateways.filter(({ node }) => node === scope.node);
  return scope.rows === "all" ? undefined : local[gateways.indexOf(gateway) % local.length];
}

/** Rules 7.1 to 7.3: an exclusion comes before a destination of the same prefix. */
function rowsOf(
  policy: Policy,
  of: Pick<ReferenceAssignment, "addresses" | "gateway" | "carrier">,
): Row[] {
  const rowsTo = (prefixes: readonly Prefix[], gatewayIP: Address): Row[] =>
    of.addresses.flatMap((source) =>
      prefixes
        .filter((destination) => prefixFamily(destination) === familyOf(source))
        .map((destination) => {
          const egress = egressIn(familyOf(source), policy, of.carrier);
          return { source, destination, gatewayIP, ...egress, policy: policy.name };
        }),
    );
  return [
    ...rowsTo(policy.exclusions, EXCLUDED_GATEWAY),
    ...rowsTo(policy.destinations, of.gateway?.gatewayIP ?? DROP_GATEWAY),
  ];
}

/** Rules 6.4 to 6.6, 6.8. */
function egressIn(
  family: Family,
  policy: Policy,
  carrier: ReferenceGateway | undefined,
): Pick<Row, "egressIP" | "ifindex"> {
  const none = unspecified(family);
  if (carrier === undefined) return { egressIP: none, ifindex: 0 };
  const { egress } = carrier;
  if (egress === undefined) return { egressIP: needs(policy, family) ? null : none, ifindex: null };
  const own = egress.addresses.find((address) => familyOf(address) === family);
  return { egressIP: own ?? none, ifindex: egress.ifindex };
}

/** Rule 6.4: exclusions need no family. */
function needs(policy: Policy, family: Family): boolean {
  return policy.destinations.some((prefix) => prefixFamily(prefix) === family);
}

function byAge(a: Policy, b: Policy): number {
  return a.createdAt - b.createdAt || byBytes(a.name, b.name);
}

/** Rule 5.4: an endpoint's addresses are sorted, so its first one is the lowest. */
function byAddress(a: Endpoint, b: Endpoint): number {
  const lowest = ({ addresses }: Endpoint): Address => [...addresses].sort(compareAddresses)[0]!;
  return compareAddresses(lowest(a), lowest(b)) || byBytes(a.key, b.key);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
