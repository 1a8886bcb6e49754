// The kinds of objects that are written to the Kubernetes API.

import type { Resource } from "../../drivers/kube/resource.ts";

export const POLICIES: Resource = {
  group: "cilium.io",
  version: "v2",
  plural: "ciliumegressgatewaypolicies",
  kind: "CiliumEgressGatewayPolicy",
  namespaced: false,
};

export const NODE_STATES: Resource = {
  group: "sluice.dev",
  version: "v1alpha1",
  plural: "nodestates",
  kind: "NodeState",
  namespaced: false,
};

export const EVENTS: Resource = {
  group: "",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};

export const LEASES: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};

export const NODES: Resource = {
  group: "",
  version: "v1",
  plural: "nodes",
  kind: "Node",
  namespaced: false,
};

/** Of the Lease by which one controller of several is active. */
export const CONTROLLER_LEASE = "sluice-controller";
