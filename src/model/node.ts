// Nodes, and what a node has: the facts from which gateways and egress IPs are derived.

import type { Address, Family } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Labels } from "./labels.ts";

/** A Node or a CiliumNode; where both describe one node, the CiliumNode counts. */
export interface Node {
  readonly name: string;
  readonly labels: Labels;
  /** The first internal IPv4 address: the gateway IP (rule 4.2). */
  readonly internalIPv4: Address | undefined;
  /** Every address of the node, sorted. */
  readonly addresses: readonly Address[];
  /** Sorted. */
  readonly podCIDRs: readonly Prefix[];
}

export interface NodeInterface {
  readonly name: string;
  readonly ifindex: number;
  readonly altNames: readonly string[];
  /** In the kernel's order: the first of a family that is not link-local is its primary. */
  readonly addresses: readonly Address[];
}

/** What a node's kernel has, as its agent publishes it (`NodeState`, sluice.dev/v1alpha1). */
export interface NodeState {
  readonly name: string;
  /** In the kernel's order. */
  readonly interfaces: readonly NodeInterface[];
  /** The preferred route of a family first. */
  readonly defaultRoutes: readonly { readonly family: Family; readonly interface: string }[];
}
