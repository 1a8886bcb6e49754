// Which kinds of objects are read from the Kubernetes API, where each is served, and whether a
// cluster may lack it.

import type { Resource } from "../../drivers/kube/resource.ts";
import type { Kind } from "../../model/objects.ts";

export interface WatchedKind {
  readonly kind: Kind;
  /** Where it is served, the first of them that the API server knows. */
  readonly resources: readonly [Resource, ...Resource[]];
  /** A required kind must be listed before anything counts; others may not be there. */
  readonly required: boolean;
}

/** `auto`: Pods, and what Cilium says of them where it is installed. */
export const ENDPOINT_SOURCES = ["auto", "pods", "cilium"] as const;
export type EndpointSource = (typeof ENDPOINT_SOURCES)[number];

const CILIUM = "cilium.io";
const CALICO = "projectcalico.org";

/** The kinds of a cluster whose endpoints come from `endpoints`. */
export function watchedKinds(endpoints: EndpointSource): readonly WatchedKind[] {
  const pods = [core("Pod", "pods", { namespaced: true })];
  const cilium = {
    required: endpoints === "cilium",
    kinds: [
      optional("CiliumEndpoint", [at(CILIUM, "v2", "ciliumendpoints", { namespaced: true })]),
      optional("CiliumIdentity", [at(CILIUM, "v2", "ciliumidentities")]),
    ],
  };
  return [
    { ...optional("CiliumEgressGatewayPolicy", [POLICIES]), required: true },
    core("Node", "nodes"),
    core("Namespace", "namespaces"),
    core("Service", "services", { namespaced: true }),
    ...(endpoints === "cilium" ? [] : pods),
    ...(endpoints === "pods"
      ? []
      : cilium.kinds.map((one) => ({ ...one, required: cilium.required }))),
    ...(endpoints === "pods" ? [] : [optional("CiliumNode", [at(CILIUM, "v2", "ciliumnodes")])]),
    optional("NodeState", [at("sluice.dev", "v1alpha1", "nodestates")]),
    optional("ServiceCIDR", [
      at("networking.k8s.io", "v1", "servicecidrs"),
      at("networking.k8s.io", "v1beta1", "servicecidrs"),
    ]),
    optional("IPPool", [at(`crd.${CALICO}`, "v1", "ippools"), at(CALICO, "v3", "ippools")]),
  ];
}

type Served = Omit<Resource, "kind">;

function at(
  group: string,
  version: string,
  plural: string,
  { namespaced = false }: { readonly namespaced?: boolean } = {},
): Served {
  return { group, version, plural, namespaced };
}

const POLICIES = at(CILIUM, "v2", "ciliumegressgatewaypolicies");

function core(
  kind: Kind,
  plural: string,
  options: { readonly namespaced?: boolean } = {},
): WatchedKind {
  return { ...optional(kind, [at("", "v1", plural, options)]), required: true };
}

function optional(kind: Kind, served: readonly [Served, ...Served[]]): WatchedKind {
  const [first, ...others] = served;
  const resources = [{ ...first, kind }, ...others.map((one) => ({ ...one, kind }))] as const;
  return { kind, resources, required: false };
}
