// What a node publishes as its NodeState: facts of its network, from which others derive egress IPs
// (rule 6.8), and what its kernel holds of each policy. deploy/crds/nodestates.yaml describes it.

import type { NodeState } from "../model/node.ts";
import type { RowSum } from "../model/row-sum.ts";
import { isLinkLocal, renderAddress } from "../net/address.ts";
import type { Link } from "../net/kernel-state.ts";
import type { Prefix } from "../net/prefix.ts";
import { containsAddress } from "../net/prefix.ts";

export interface PublishedFacts {
  readonly state: NodeState;
  readonly ready: boolean;
  /** Why it is not ready; empty when it is. */
  readonly message: string;
  readonly versions: {
    readonly sluice: string;
    /** Of pinned maps and programs. */
    readonly abi: string;
    readonly kernel: string;
  };
  /** The policies in force here, each with the generation of its spec. */
  readonly policies: readonly {
    readonly name: string;
    readonly generation: number;
    /** Why not all of its rows fit; empty: they do. */
    readonly message: string;
  }[];
  /** What was read back from the kernel, by policy; a policy that is missing has no rows. */
  readonly held: ReadonlyMap<string, RowSum>;
}

/** Kinds of devices whose other end may be a pod. */
const PAIRED = new Set(["veth", "netkit"]);

/**
 * True for a pod's device on this node: it leads to another network namespace and has no address of
 * the node's own. They come and go with pods, and nothing leaves the cluster by them.
 */
export function isPodLink(link: Link, pods: readonly Prefix[]): boolean {
  const { kind, peerElsewhere, addresses } = link;
  if (!PAIRED.has(kind) || !peerElsewhere) return false;
  return addresses.every(({ address }) => {
    return isLinkLocal(address) || pods.some((prefix) => containsAddress(prefix, address));
  });
}

/** Of a policy without any row. */
export const NO_ROWS: RowSum = { rows: 0, digest: "0".repeat(16) };
const MESSAGE_CHARACTERS_MAX = 1_024;

/** The object's `status`, without the time of its renewal. */
export function publishedStatus(facts: PublishedFacts) {
  const { state, ready, message, versions, policies, held } = facts;
  return {
    ready,
    message: message.slice(0, MESSAGE_CHARACTERS_MAX),
    versions,
    interfaces: state.interfaces.map(({ name, ifindex, altNames, addresses }) => ({
      name,
      ifindex,
      altNames: [...altNames],
      addresses: addresses.map(renderAddress),
    })),
    defaultRoutes: state.defaultRoutes.map(({ family, interface: device }) => {
      return { family, interface: device };
    }),
    policies: policies.map((policy) => {
      const { name, generation } = policy;
      return { name, generation, ...(held.get(name) ?? NO_ROWS), message: policy.message };
    }),
  };
}
