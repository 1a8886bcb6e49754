// What a node's kernel has of network things, as values: links, addresses, routes, neighbours.
// Read by a driver, judged by everybody else.

import type { Address, Family } from "./address.ts";
import type { Prefix } from "./prefix.ts";

export interface LinkAddress {
  readonly address: Address;
  /** Of the prefix, in bits. */
  readonly length: number;
  /** As `ip address` says it: global, link, host, or another name of rt_scopes. */
  readonly scope: string;
  /** Not the first of its subnet (`secondary`), so never an interface's primary address. */
  readonly secondary: boolean;
}

export interface Link {
  readonly ifindex: number;
  readonly name: string;
  readonly altNames: readonly string[];
  /** As `ip link` says it: veth, bridge, vxlan; empty where the kernel tells none. */
  readonly kind: string;
  /** Lower case, with colons; empty without one. */
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  /** The ifindex of the bridge or bond that it belongs to; 0: none. */
  readonly master: number;
  /** The other end is in another network namespace. */
  readonly peerElsewhere: boolean;
  /** In the kernel's order. */
  readonly addresses: readonly LinkAddress[];
}

/** A unicast route. */
export interface Route {
  readonly family: Family;
  readonly destination: Prefix;
  readonly device: string;
  readonly via: Address | undefined;
  /** Smaller is preferred. */
  readonly metric: number;
  readonly table: number;
  /** The number of its protocol, as in rt_protos. */
  readonly protocol: number;
}

export interface Neighbour {
  readonly address: Address;
  readonly ifindex: number;
  readonly mac: string;
}

/** Behind which port a bridge found a MAC address. */
export interface BridgeEntry {
  readonly mac: string;
  readonly bridge: number;
  readonly port: number;
}

export interface KernelState {
  readonly links: readonly Link[];
  /** Of all tables but the local one, in the kernel's order. */
  readonly routes: readonly Route[];
  /** Only those whose MAC address is known. */
  readonly neighbours: readonly Neighbour[];
  readonly bridgeEntries: readonly BridgeEntry[];
}
