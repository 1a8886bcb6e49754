// What this node's datapath should be, from the plan's rows and what is known of the cluster and
// of the node. Pure; the numbers that marks carry are the only memory, see index-table.ts.

import { compareAddresses, unspecified, familyOf } from "../net/address.ts";
import type { Address } from "../net/address.ts";
import type { KernelState } from "../net/kernel-state.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Row } from "../plan/row.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY } from "../plan/row.ts";
import type {
  ClassifiedAddress,
  DatapathEndpoint,
  EgressAddress,
  NodeDatapath,
} from "./datapath.ts";
import type { IndexTable } from "./index-table.ts";

/** An address of an endpoint, and where it lives. */
export interface PlacedAddress {
  readonly address: Address;
  /** Its node's internal IPv4 address. */
  readonly node: Address;
}

export interface DesiredInput {
  readonly self: Address;
  /** The internal IPv4 addresses of all nodes. */
  readonly nodes: Iterable<Address>;
  readonly prefixes: {
    readonly all: readonly Prefix[];
    readonly pods: readonly Prefix[];
    readonly own: readonly Prefix[];
  };
  readonly endpoints: Iterable<PlacedAddress>;
  /** This node's rows, lame ducks included. */
  readonly rows: Iterable<Row>;
  /** Addresses of this node's endpoints that must wait: their rows do not fit (rule 7.9). */
  readonly held: ReadonlySet<Address>;
  readonly kernel: KernelState;
  readonly pods: {
    readonly devices: ReadonlyMap<Address, { ifindex: number; interface: string }>;
    readonly attach: readonly number[];
  };
  readonly gatewayIndexes: IndexTable;
  readonly egressIndexes: IndexTable;
}

/** The whole of it. Gives numbers to gateways and egress IPs that are new. */
export function desiredDatapath(input: DesiredInput): NodeDatapath {
  const { self, prefixes, pods } = input;
  const named = namedBy(input.rows, self);
  input.gatewayIndexes.use(named.gateways);
  input.egressIndexes.use(named.egressIPs);
  const endpoints: DatapathEndpoint[] = [];
  const classified: ClassifiedAddress[] = [];
  const selected: Address[] = [];
  for (const { address, node } of input.endpoints) {
    const device = node === self ? pods.devices.get(address) : undefined;
    endpoints.push({ address, node, ifindex: device?.ifindex ?? 0 });
    if (node !== self) continue;
    if (named.sources.has(address)) selected.push(address);
    if (device === undefined || input.held.has(address)) continue;
    classified.push({ interface: device.interface, address });
  }
  return {
    self,
    nodes: [...new Set([...input.nodes, self])].sort(compareAddresses),
    clusterPrefixes: prefixes.all,
    podPrefixes: prefixes.pods,
    ownPodPrefixes: prefixes.own,
    endpoints: endpoints.sort(byAddress),
    gateways: input.gatewayIndexes.entries(),
    egressIPs: egressAddresses(input.egressIndexes, input.kernel),
    classified: classified.sort(byAddress),
    selected: selected.sort(compareAddresses),
    podDevices: pods.attach,
  };
}

/** What the rows name: other nodes as gateways, egress IPs of this one, and covered sources. */
function namedBy(rows: Iterable<Row>, self: Address) {
  const gateways = new Set<Address>();
  const egressIPs = new Set<Address>();
  const sources = new Set<Address>();
  for (const { source, egressIP, gatewayIP } of rows) {
    if (gatewayIP === EXCLUDED_GATEWAY) continue;
    sources.add(source);
    if (gatewayIP !== DROP_GATEWAY && gatewayIP !== self) gateways.add(gatewayIP);
    if (egressIP === null || egressIP === unspecified(familyOf(egressIP))) continue;
    egressIPs.add(egressIP);
  }
  return { gateways, egressIPs, sources };
}

function egressAddresses(indexes: IndexTable, { links }: KernelState): EgressAddress[] {
  const owners = new Map<Address, string>();
  for (const { name, addresses } of links) {
    for (const { address } of addresses) if (!owners.has(address)) owners.set(address, name);
  }
  return indexes.entries().map(({ index, address }) => {
    return { index, address, device: owners.get(address) };
  });
}

function byAddress(a: { readonly address: Address }, b: { readonly address: Address }): number {
  return compareAddresses(a.address, b.address);
}
