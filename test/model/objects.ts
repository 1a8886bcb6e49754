// Random Kubernetes objects of a small, nasty cluster: so few names, labels and addresses that
// everything collides with everything. An object is a flat record of paths and values, so that a
// history may change one field of it; a manifest is made of it when it is applied.

import fc from "fast-check";
import type { Kind } from "../../src/model/objects.ts";
import {
  labels,
  maybe,
  NAMESPACE_LABELS,
  namespaceSelector,
  NODE_LABELS,
  nodeSelector,
  often,
  POD_LABELS,
  podSelector,
  some,
} from "./labels.ts";

/** An object as the API server knows it. */
export interface Flat {
  readonly kind: Kind;
  /** Unique among the objects of the kind: the UID, `namespace/name` without one, or the name. */
  readonly key: string;
  /** As in `status.podIPs`; undefined: absent. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const API_VERSIONS: Readonly<Partial<Record<Kind, string>>> = {
  Node: "v1",
  Pod: "v1",
  Namespace: "v1",
  NodeState: "sluice.dev/v1alpha1",
  Service: "v1",
  ServiceCIDR: "networking.k8s.io/v1",
  IPPool: "projectcalico.org/v3",
};

/** The object as a manifest would have it. */
export function manifestOf({ kind, fields }: Flat): Readonly<Record<string, unknown>> {
  const manifest: Record<string, unknown> = {
    apiVersion: API_VERSIONS[kind] ?? "cilium.io/v2",
    kind,
    metadata: {},
    ...(kind === "NodeState" ? { status: {} } : {}),
  };
  for (const [path, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const keys = path.split(".");
    let parent = manifest;
    for (const key of keys.slice(0, -1)) {
      parent = (parent[key] ??= {}) as Record<string, unknown>;
    }
    parent[keys.at(-1) as string] = value;
  }
  return manifest;
}

const NODES = ["gw-1", "gw-10", "gw-9", "w-1"] as const;
const NODE_IPS = ["192.168.1.9", "192.168.1.10", "192.168.1.11"] as const;
const POD_V4 = [
  "10.0.0.9",
  "10.0.0.10",
  "10.0.0.11",
  "10.0.0.12",
  "10.0.0.13",
  "10.0.1.1",
  "10.0.1.2",
  "9.255.0.1",
] as const;
const POD_V6 = ["fd00::9", "fd00::10", "fd00::a:1", "fd00::b:1"] as const;
const EGRESS_IPS = ["192.0.2.10", "192.0.2.9", "2001:db8:1::10", "2001:DB8:1::10"] as const;
const DEVICE_IPS = [
  "192.0.2.9/24",
  "192.0.2.10/24",
  "169.254.1.1/16",
  "2001:db8:1::10/64",
  "2001:db8:1::9/64",
  "fe80::1/64",
] as const;
const PREFIXES = [
  "0.0.0.0/0",
  "198.51.100.0/24",
  "198.51.100.7/32",
  "203.0.113.9/24",
  "::/0",
  "2001:db8:f::/48",
  "2001:db8:f::7/128",
] as const;
/** Some inside others; pods have addresses inside and outside of them. */
const RANGES = ["10.0.0.0/24", "10.0.0.8/30", "10.0.0.0/16", "9.255.0.0/16", "fd00::/64"] as const;
const SERVICE_IPS = ["10.96.0.1", "10.96.0.10", "10.0.0.9", "192.0.2.80", "fd00::9"] as const;
const DEVICES = ["eth0", "eth1", "ens5", "eth9"] as const;

interface Identity {
  readonly key: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function named(...names: readonly string[]): fc.Arbitrary<Identity> {
  return fc.constantFrom(...names).map((name) => {
    return { key: name, fields: { "metadata.name": name } };
  });
}

/** Of Pods and CiliumEndpoints; a pod that is created anew has the same name and another UID. */
function inNamespace(uidPrefix: string): fc.Arbitrary<Identity> {
  const pod = fc.record({
    namespace: fc.constantFrom("a", "b"),
    name: fc.constantFrom("web-0", "web-1", "db-0"),
    generation: maybe("0", "1", "2"),
  });
  return pod.map(({ namespace, name, generation }) => {
    const uid = generation && `${uidPrefix}${namespace}-${name}-${generation}`;
    const fields = { "metadata.namespace": namespace, "metadata.name": name, "metadata.uid": uid };
    return { key: uid ?? `${namespace}/${name}`, fields };
  });
}

type FieldsOf = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** `resourceVersion` stands for everything that changes all the time and means nothing. */
function flat(kind: Kind, identity: fc.Arbitrary<Identity>, of: FieldsOf): fc.Arbitrary<Flat> {
  const fields = fc.record({ ...of, "metadata.resourceVersion": maybe("1", "2") });
  return fc.tuple(identity, fields).map(([{ key, fields: fixed }, changing]) => {
    return { kind, key, fields: { ...fixed, ...changing } };
  });
}

const time = maybe("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
const addresses = fc
  .tuple(
    often(some(POD_V4, { minLength: 1, maxLength: 2 }), fc.constant([])),
    some(POD_V6, { maxLength: 1 }),
  )
  .map(([v4, v6]) => ({ v4, v6 }));

/** In the order of preference; some nodes have no IPv4 address. */
const nodeAddresses = often(
  some([...NODE_IPS, "fd01::1"], { minLength: 1, maxLength: 2 }),
  fc.constantFrom([], ["fd01::1"]),
);
const nodeLabels = labels({ ...NODE_LABELS, "nobody-asks": ["1", "2"] });

const podCIDRs = often(fc.constant(undefined), some(RANGES, { maxLength: 2 }));

const node = flat("Node", named(...NODES), {
  "metadata.labels": nodeLabels,
  "status.addresses": nodeAddresses.map((all) => [
    { type: "Hostname", address: "somewhere" },
    ...all.map((address) => ({ type: "InternalIP", address })),
  ]),
  "spec.podCIDRs": podCIDRs,
  "status.conditions": maybe([{ type: "Ready", status: "False" }]),
});

const ciliumNode = flat("CiliumNode", named(...NODES), {
  "metadata.labels": nodeLabels,
  "spec.addresses": nodeAddresses.map((all) => all.map((ip) => ({ type: "InternalIP", ip }))),
});

function device(name: string, ifindex: number, altNames: readonly string[]) {
  const present = some(DEVICE_IPS, { maxLength: DEVICE_IPS.length }).map((all) => [
    { name, ifindex, altNames, addresses: all },
  ]);
  return often(present, fc.constant([]));
}

const routes = fc.array(
  fc.record({
    family: fc.constantFrom("IPv4", "IPv6"),
    interface: fc.constantFrom(...DEVICES),
  }),
  { maxLength: 3 },
);
const usualRoutes = fc.constantFrom("eth0", "eth1").map((name) => [
  { family: "IPv4", interface: name },
  { family: "IPv6", interface: name },
]);

const nodeState = flat("NodeState", named(...NODES), {
  "status.interfaces": fc
    .tuple(device("eth0", 2, []), device("eth1", 3, ["ens5"]))
    .map((devices) => devices.flat()),
  "status.defaultRoutes": fc.oneof(usualRoutes, routes),
});

const service = flat("Service", inNamespace("svc-"), {
  "spec.clusterIPs": often(some(SERVICE_IPS, { maxLength: 2 }), fc.constant(["None"])),
  "spec.externalIPs": some(SERVICE_IPS, { maxLength: 1 }),
});

/** An IPPool without prefix is refused (rule 2.3). */
const ipPool = flat("IPPool", named("pool-a", "pool-b"), {
  "spec.cidr": often(fc.constantFrom(...RANGES), fc.constant(undefined)),
});

const serviceCidr = flat("ServiceCIDR", named("kubernetes", "more"), {
  "spec.cidrs": some(["10.96.0.0/24", "10.96.0.8/29", "fd00::/120"], { minLength: 1 }),
});

const namespace = flat("Namespace", named("a", "b"), {
  "metadata.labels": labels(NAMESPACE_LABELS),
});

const pod = flat("Pod", inNamespace(""), {
  "metadata.labels": labels(POD_LABELS),
  "metadata.creationTimestamp": time,
  "spec.nodeName": maybe(...NODES, "unheard-of"),
  "spec.hostNetwork": often(fc.constant(undefined), fc.constant(true)),
  "status.phase": often(maybe("Running"), fc.constantFrom("Succeeded", "Failed")),
  "status.podIPs": addresses.map(({ v4, v6 }) => [...v6, ...v4].map((ip) => ({ ip }))),
});

/** Some have an owner: one generation of the pod of this name, living or not. */
const ciliumEndpoint = fc
  .tuple(
    flat("CiliumEndpoint", inNamespace("cep-"), {
      "metadata.creationTimestamp": time,
      "status.identity.id": maybe(100, 101, 102),
      "status.networking.addressing": addresses.map(({ v4, v6 }) => {
        const pairs = v4.map((ipv4, i) => ({ ipv4, ...(i < v6.length ? { ipv6: v6[i] } : {}) }));
        return pairs.length > 0 ? pairs : v6.map((ipv6) => ({ ipv6 }));
      }),
      "status.networking.node": maybe(...NODE_IPS),
    }),
    maybe("0", "1", "2"),
  )
  .map(([{ fields, ...rest }, generation]) => {
    const { "metadata.namespace": space, "metadata.name": name } = fields;
    const owner = { kind: "Pod", name, uid: `${space}-${name}-${generation}` };
    const ownerReferences = generation && [owner];
    return { ...rest, fields: { ...fields, "metadata.ownerReferences": ownerReferences } };
  });

const ciliumIdentity = flat("CiliumIdentity", named("100", "101", "102"), {
  "security-labels": fc
    .tuple(
      labels(POD_LABELS, "k8s:"),
      labels(NAMESPACE_LABELS, "k8s:io.cilium.k8s.namespace.labels."),
      labels({ "io.kubernetes.pod.namespace": ["a", "b"] }, "k8s:"),
    )
    .map((parts) => Object.assign({}, ...parts) as Record<string, string>),
});

/** A nodeSelector alone is refused (rule 2.1), so it comes beside one of the others. */
const rule = fc
  .tuple(podSelector, namespaceSelector, nodeSelector, fc.nat(7))
  .map(([byPod, byNamespace, byNode, choice]) => ({
    ...(choice % 4 === 3 ? {} : { podSelector: byPod }),
    ...(choice % 4 >= 2 ? { namespaceSelector: byNamespace } : {}),
    ...(choice >= 4 ? { nodeSelector: byNode } : {}),
  }));

const gateway = fc
  .tuple(
    nodeSelector,
    fc.oneof(
      fc.constant({}),
      fc.constantFrom("eth0", ...DEVICES).map((name) => ({ interface: name })),
      fc.constantFrom(...EGRESS_IPS).map((egressIP) => ({ egressIP })),
    ),
  )
  .map(([byNode, egress]) => ({ nodeSelector: byNode, ...egress }));

const distribution = maybe("round-robin", "cilium-hash", "rendezvous");

const policy = flat("CiliumEgressGatewayPolicy", named("p", "q", "r", "s"), {
  "metadata.creationTimestamp": time,
  "metadata.annotations": distribution.map((name) => name && { "sluice.dev/distribution": name }),
  "spec.selectors": fc.array(rule, { minLength: 1, maxLength: 2 }),
  // A prefix without mask is refused (rule 2.1).
  "spec.destinationCIDRs": often(some(PREFIXES, { minLength: 1 }), fc.constant(["192.0.2.1"])),
  "spec.excludedCIDRs": some([...PREFIXES, "10.0.0.0/8"], { maxLength: 2 }),
  "spec.egressGateways": often(
    fc.array(gateway, { minLength: 1, maxLength: 4 }),
    fc.constant(undefined),
  ),
  "spec.egressGateway": fc.oneof(fc.constant(undefined), gateway),
});

/** Every kind of object, those that matter most more often. */
export const flatObject: fc.Arbitrary<Flat> = fc.oneof(
  { weight: 5, arbitrary: node },
  { weight: 1, arbitrary: ciliumNode },
  { weight: 4, arbitrary: nodeState },
  { weight: 1, arbitrary: namespace },
  { weight: 8, arbitrary: pod },
  { weight: 3, arbitrary: ciliumEndpoint },
  { weight: 2, arbitrary: ciliumIdentity },
  { weight: 6, arbitrary: policy },
  { weight: 1, arbitrary: service },
  { weight: 1, arbitrary: serviceCidr },
  { weight: 1, arbitrary: ipPool },
);
