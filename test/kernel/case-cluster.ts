// The cluster for the table of packet cases: policies that treat one destination each in their own
// way, services, and pods that the policies select or not.
//
//   198.51.100.100  2001:db8:100::100     the server itself: covered by 0.0.0.0/0 and ::/0
//   198.18.0.1      2001:db8:18::1        likewise, behind a narrow link of the server's
//   203.0.113.1     2001:db8:113::1       excluded
//   203.0.113.200   2001:db8:113:8000::1  a longer prefix of another policy, by gateway-2
//   192.0.2.1       2001:db8:2::1         by gateway-1, which has no egress IP for it
//   192.0.2.200     2001:db8:2:8000::1    its policy has no gateway

/** Of one family: destinations outside, and addresses that the outside may see. */
export interface Side {
  readonly family: "IPv4" | "IPv6";
  /** As nft calls it. */
  readonly ip: "ip" | "ip6";
  /** Which of a pod's, node's or server's addresses is of this family. */
  readonly place: 0 | 1;
  readonly covered: string;
  readonly excluded: string;
  readonly longer: string;
  readonly addressless: string;
  readonly gatewayless: string;
  /** Covered, and behind a link of the server's with an MTU of 1280. */
  readonly narrow: string;
  /** Egress IPs of gateway-1 and gateway-2. */
  readonly egress: readonly [string, string];
  /** The address that worker-1 and what it masquerades leave with. */
  readonly worker: string;
  /** Addresses of services: a pod behind them, a node, something outside. */
  readonly service: { readonly pod: string; readonly balancer: string; readonly outside: string };
}

export const SIDES: readonly Side[] = [
  {
    family: "IPv4",
    ip: "ip",
    place: 0,
    covered: "198.51.100.100",
    narrow: "198.18.0.1",
    excluded: "203.0.113.1",
    longer: "203.0.113.200",
    addressless: "192.0.2.1",
    gatewayless: "192.0.2.200",
    egress: ["198.51.100.31", "198.51.100.41"],
    worker: "198.51.100.11",
    service: { pod: "10.96.0.10", balancer: "198.51.100.80", outside: "10.96.0.11" },
  },
  {
    family: "IPv6",
    ip: "ip6",
    place: 1,
    covered: "2001:db8:100::100",
    narrow: "2001:db8:18::1",
    excluded: "2001:db8:113::1",
    longer: "2001:db8:113:8000::1",
    addressless: "2001:db8:2::1",
    gatewayless: "2001:db8:2:8000::1",
    egress: ["2001:db8:100::31", "2001:db8:100::41"],
    worker: "2001:db8:100::11",
    service: { pod: "fd00:96::10", balancer: "2001:db8:100::80", outside: "fd00:96::11" },
  },
];

/** The objects that say of those addresses that they are inside (rule 8.2). */
export const SERVICES = (["pod", "balancer", "outside"] as const).map((name) => {
  const addresses = SIDES.map(({ service }) => service[name]);
  const ingress = addresses.map((ip) => ({ ip }));
  const isBalancer = name === "balancer";
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "lab" },
    spec: { clusterIPs: isBalancer ? [] : addresses },
    status: { loadBalancer: { ingress: isBalancer ? ingress : [] } },
  };
});

const byHostname = (name: string) => ({
  nodeSelector: { matchLabels: { "kubernetes.io/hostname": name } },
});

/** Name -> destinations, exclusions, gateway. */
const SPECS: Readonly<Record<string, object>> = {
  wide: {
    destinationCIDRs: ["0.0.0.0/0", "::/0"],
    excludedCIDRs: ["203.0.113.0/25", "2001:db8:113::/65"],
    egressGateways: [{ ...byHostname("gateway-1"), egressIP: "198.51.100.31" }],
  },
  longer: {
    destinationCIDRs: ["203.0.113.128/25", "2001:db8:113:8000::/65"],
    egressGateways: [{ ...byHostname("gateway-2"), egressIP: "198.51.100.41" }],
  },
  addressless: {
    destinationCIDRs: ["192.0.2.0/25", "2001:db8:2::/65"],
    egressGateways: [{ ...byHostname("gateway-1"), interface: "nowhere0" }],
  },
  gatewayless: {
    destinationCIDRs: ["192.0.2.128/25", "2001:db8:2:8000::/65"],
    egressGateways: [byHostname("nobody")],
  },
};

/** All of them select the pods with app=client. */
export const POLICIES = Object.entries(SPECS).map(([name, spec]) => ({
  apiVersion: "cilium.io/v2",
  kind: "CiliumEgressGatewayPolicy",
  metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { selectors: [{ podSelector: { matchLabels: { app: "client" } } }], ...spec },
}));

/** Pods by name: where they live, and whether the policies select them. */
export const PODS: Readonly<Record<string, { readonly node: string; readonly app: string }>> = {
  client: { node: "worker-1", app: "client" },
  second: { node: "worker-2", app: "client" },
  near: { node: "worker-1", app: "plain" },
  far: { node: "worker-2", app: "plain" },
  own: { node: "gateway-1", app: "client" },
};
