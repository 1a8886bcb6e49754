// The parsed objects that sources deliver, one tag per kind. A refused object keeps its key, so
// that the model can hold on to the last accepted version (rule 2.3).

import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { EndpointKey } from "./endpoint.ts";
import type { Issue } from "./issue.ts";
import type { Labels } from "./labels.ts";
import type { Node, NodeState } from "./node.ts";
import type { CreatedAt, Policy } from "./policy.ts";

export interface Pod {
  readonly key: EndpointKey;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Sorted, unique. Empty: not an endpoint (host network, finished, no address; rule 3.5). */
  readonly addresses: readonly Address[];
  readonly node: string;
  readonly createdAt: CreatedAt;
}

export interface CiliumEndpoint {
  /** Its own UID, or `namespace/name`. */
  readonly uid: EndpointKey;
  readonly namespace: string;
  readonly name: string;
  /** The Pod owner's UID; empty without one (rule 3.1). */
  readonly podUid: string;
  /** The name of its CiliumIdentity; empty when it has none yet. */
  readonly identity: string;
  readonly addresses: readonly Address[];
  /** An address of its node, `status.networking.node`. */
  readonly nodeAddress: Address | undefined;
  readonly createdAt: CreatedAt;
}

/** What matters of a Service: where it is reached, which is inside the cluster (rule 8.2). */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Cluster IPs, external IPs and those of load balancers; sorted, unique, none if headless. */
  readonly addresses: readonly Address[];
}

/** What each kind parses to. */
export interface ObjectKinds {
  CiliumEgressGatewayPolicy: Policy;
  CiliumEndpoint: CiliumEndpoint;
  CiliumIdentity: Labels;
  CiliumNode: Node;
  /** Sorted. */
  IPPool: readonly Prefix[];
  Namespace: Labels;
  Node: Node;
  NodeState: NodeState;
  Pod: Pod;
  Service: Service;
  /** Sorted. */
  ServiceCIDR: readonly Prefix[];
}
export type Kind = keyof ObjectKinds;

/**
 * One object now. `key` is unique within the kind: the name; for Pods, CiliumEndpoints and
 * Services the UID or `namespace/name`. `value` undefined: the object is gone. `refused`: its
 * newest version is not valid, `value` says nothing, and `issues` has at least one error.
 */
export type ObjectChange = {
  [K in Kind]: {
    readonly kind: K;
    readonly key: string;
    readonly value: ObjectKinds[K] | undefined;
    readonly refused: boolean;
    readonly issues: readonly Issue[];
  };
}[Kind];
