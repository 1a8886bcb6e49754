// What a lab consists of before anything of it exists: nodes, addresses and names, all computed
// from a few numbers, so that a picture in a document stays true.
//
//   172.20.0.0/24, fd00:20::/64          198.51.100.0/24, 2001:db8:100::/64
//   underlay bridge ── ul0 [ node ] out0 ── outside bridge ── [ server .100, the default route ]
//                            │ the CNI's veth or bridge
//                          [ pod ]  10.244.N.0/24, fd00:10:244:N::/64
//
// On demand gateways have a second way out, by a network of its own:
//
//   203.0.113.0/24, 2001:db8:113::/64      [ gateway ] out1 ── second bridge ── [ server .100 ]

import type { ApiLogin } from "./api-objects.ts";

/** A Kubernetes node: a network namespace with two devices. */
export interface LabNode {
  readonly name: string;
  readonly gateway: boolean;
  /** The internal addresses, on `ul0`; IPv4 first. */
  readonly internal: readonly string[];
  /** The node's own addresses on `out0`; IPv4 first. */
  readonly outside: readonly string[];
  /** Addresses for policies on `out0`, per family IPv4 first; empty on workers. */
  readonly egress: readonly (readonly string[])[];
  /** Addresses on `out1`, IPv4 first; empty without such a device. */
  readonly second: readonly string[];
  /** IPv4 first. */
  readonly podCIDRs: readonly string[];
}

export type Cni = "ptp" | "bridge";

export interface LabOptions {
  readonly name: string;
  readonly workers: number;
  readonly gateways: number;
  readonly pods: number;
  readonly ipv6: boolean;
  readonly cni: Cni;
  /** False: no agents, pods leave as the CNI lets them. */
  readonly agents: boolean;
  /** The API server that holds the objects; absent: files do. */
  readonly api?: ApiLogin;
  /** Gateways have a second device to the outside. */
  readonly secondNic?: boolean;
}

export interface Topology extends LabOptions {
  readonly nodes: readonly LabNode[];
  /** The server's addresses, IPv4 first. */
  readonly server: readonly string[];
  /** The server's addresses on the second network, where it is the router; IPv4 first. */
  readonly second: readonly string[];
}

/** More would run out of the addresses that the picture above gives away. */
export const LIMITS = { workers: 16, gateways: 12, pods: 64 } as const;

/** Where the server listens, TCP and UDP. */
export const SERVER_PORT = 7777;
/** The devices of a node. */
export const UNDERLAY = "ul0";
export const OUTSIDE = "out0";
export const SECOND = "out1";
/** Namespaces that are no node: the bridges and the server. */
export const BRIDGES = { underlay: "underlay", outside: "outside" } as const;
export const SECOND_BRIDGE = "second";
export const SERVER = "server";

const SERVER_HOST = 100;
const WORKER_BASE = 10;
const GATEWAY_BASE = 200;
/** Gateway 1 has .31 and .32, gateway 2 .41 and .42; never the server's .100. */
const EGRESS_BASE = 20;
const EGRESS_PER_GATEWAY = 2;

/** The lab that these options describe. */
export function planTopology(options: LabOptions): Topology {
  const nodes = [
    ...numbered(options.workers).map((i) => makeNode(options, { place: i, gateway: false })),
    ...numbered(options.gateways).map((i) => makeNode(options, { place: i, gateway: true })),
  ];
  const server = families(options, outsideAddresses(SERVER_HOST));
  return { ...options, nodes, server, second: secondOf(options, SERVER_HOST) };
}

/** The bridges behind which the server is, in the order of its devices. */
export function outsideBridges({ secondNic = false }: LabOptions): string[] {
  return [BRIDGES.outside, ...(secondNic ? [SECOND_BRIDGE] : [])];
}

function makeNode(
  options: Pick<LabOptions, "ipv6" | "secondNic">,
  { place, gateway }: { readonly place: number; readonly gateway: boolean },
): LabNode {
  const host = (gateway ? GATEWAY_BASE : WORKER_BASE) + place;
  const egress = numbered(gateway ? EGRESS_PER_GATEWAY : 0).map((i) =>
    families(options, outsideAddresses(EGRESS_BASE + 10 * place + i)),
  );
  return {
    name: `${gateway ? "gateway" : "worker"}-${place}`,
    gateway,
    internal: families(options, [`172.20.0.${host}`, `fd00:20::${host}`]),
    outside: families(options, outsideAddresses(host)),
    egress,
    second: gateway ? secondOf(options, EGRESS_BASE + 10 * place + 1) : [],
    podCIDRs: families(options, [`10.244.${host}.0/24`, `fd00:10:244:${host}::/64`]),
  };
}

/** An IPv4 address and one whose last group reads the same. */
function outsideAddresses(host: number): [string, string] {
  return [`198.51.100.${host}`, `2001:db8:100::${host}`];
}

/** The node's device behind whose network an outside address is. */
export function deviceOf(address: string): string {
  return /^(203\.0\.113\.|2001:db8:113:)/.test(address) ? SECOND : OUTSIDE;
}

function secondOf(options: Pick<LabOptions, "ipv6" | "secondNic">, host: number): string[] {
  if (options.secondNic !== true) return [];
  return families(options, [`203.0.113.${host}`, `2001:db8:113::${host}`]);
}

function families({ ipv6 }: Pick<LabOptions, "ipv6">, both: [string, string]): string[] {
  return ipv6 ? both : [both[0]];
}

/** 1 to `count`. */
function numbered(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** On which node the pod with this number (from 1) of `pods` runs. */
export function nodeOfPod({ nodes, pods }: Topology, number: number): LabNode {
  const workers = nodes.filter(({ gateway }) => !gateway);
  const gateways = nodes.filter(({ gateway }) => gateway);
  // The last one lives on a gateway, because a gateway's own pods take another way out.
  const first = gateways[0];
  if (first !== undefined && number === pods && number > workers.length) return first;
  return workers[(number - 1) % workers.length] as LabNode;
}
