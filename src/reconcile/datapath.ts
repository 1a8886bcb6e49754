// What a node's datapath should be: the whole of it, as values. Everything that sinks write (maps
// of our programs, nftables, rules, routes, attachments) follows from this and from nothing else.
// The policy rows stand beside it, see plan/row.ts.

import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";

/** Fixed while an agent runs. */
export interface DatapathSettings {
  /** UDP port of the tunnel. */
  readonly tunnelPort: number;
  /** VXLAN network identifier. */
  readonly vni: number;
  /** Name of the tunnel device. */
  readonly tunnelDevice: string;
  /** See mark.ts. */
  readonly markShift: number;
  /** The first of our rules' priorities; we use this one and the 31 behind it. */
  readonly rulePriority: number;
  /** The first of our routing tables; we use 8,192 from here. */
  readonly routeTable: number;
  /** The protocol number that marks rules and routes as ours. */
  readonly routeProtocol: number;
  /** Name of our nftables table, of the family inet. */
  readonly nftTable: string;
  /** Whether new flows of pods that are not classified yet are dropped (rule 8.7). */
  readonly unclassified: "hold" | "allow";
}

export const DEFAULT_SETTINGS: DatapathSettings = {
  tunnelPort: 8473,
  vni: 7473,
  tunnelDevice: "sluice0",
  markShift: 0,
  rulePriority: 90,
  routeTable: 21000,
  routeProtocol: 83,
  nftTable: "sluice",
  unclassified: "hold",
};

/** An address of a known endpoint, anywhere in the cluster. */
export interface DatapathEndpoint {
  readonly address: Address;
  /** The node's internal IPv4 address. */
  readonly node: Address;
  /** The device that its packets come from; 0: on another node, or not found yet. */
  readonly ifindex: number;
}

export interface IndexedAddress {
  /** 1 to INDEX_MAX; see mark.ts. */
  readonly index: number;
  readonly address: Address;
}

/** An egress IP of this node. */
export interface EgressAddress extends IndexedAddress {
  /** The interface that has it; undefined: none has it at the moment. */
  readonly device: string | undefined;
}

/** An address of a pod on this node whose flows may begin. */
export interface ClassifiedAddress {
  /** The interface that netfilter sees its packets come from: its own, or the bridge's. */
  readonly interface: string;
  readonly address: Address;
}

/** Every list is sorted and without duplicates. */
export interface NodeDatapath {
  /** This node's internal IPv4 address: its end of the tunnel. */
  readonly self: Address;
  /** The internal IPv4 addresses of all nodes, this one included: who may send to the tunnel. */
  readonly nodes: readonly Address[];
  /** What counts as inside the cluster (rule 8.2), prefixes within others left out. */
  readonly clusterPrefixes: readonly Prefix[];
  /** Where pods of any node live: what a gateway sends back through the tunnel. */
  readonly podPrefixes: readonly Prefix[];
  /** Where pods of this node live: whose new flows wait until they are classified. */
  readonly ownPodPrefixes: readonly Prefix[];
  readonly endpoints: readonly DatapathEndpoint[];
  /** Gateways that rows here may name, other than this node. By index. */
  readonly gateways: readonly IndexedAddress[];
  /** By index. */
  readonly egressIPs: readonly EgressAddress[];
  readonly classified: readonly ClassifiedAddress[];
  /** Addresses of pods on this node that have rows with a destination. */
  readonly selected: readonly Address[];
  /** Where `from_pod` is attached, as ifindex. */
  readonly podDevices: readonly number[];
}
