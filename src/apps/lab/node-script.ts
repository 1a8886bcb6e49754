// The shell scripts that make namespaces into bridges, nodes, a server and pods. Text only: one
// script per namespace, so that a lab costs a process per namespace and not one per command.

import type { LabNode, Topology } from "./topology.ts";
import { OUTSIDE, SECOND, UNDERLAY } from "./topology.ts";

const POD_NETWORKS = ["10.244.0.0/16", "fd00:10:244::/48"] as const;
const NODE_NETWORKS = ["172.20.0.0/24", "fd00:20::/64"] as const;

/** A veth pair between two namespaces, made inside of them: the host never sees it. */
export interface Cable {
  readonly device: string;
  readonly namespace: string;
  readonly peer: string;
  readonly peerNamespace: string;
}

/** `ip -batch` lines that make namespaces and the cables between them. */
export function namespaceBatch(namespaces: readonly string[], cables: readonly Cable[]): string {
  return [
    ...namespaces.map((name) => `netns add ${name}`),
    ...cables.map(
      ({ device, namespace, peer, peerNamespace }) =>
        `link add ${device} netns ${namespace} type veth peer name ${peer} netns ${peerNamespace}`,
    ),
    "",
  ].join("\n");
}

/** A bridge over these ports; netfilter must not see what it forwards. */
export function bridgeScript(ports: readonly string[]): string {
  return `
for key in iptables ip6tables arptables; do
  file=/proc/sys/net/bridge/bridge-nf-call-$key
  if [ -e $file ]; then echo 0 >$file; fi
done
${noDuplicateDetection(ports)}
ip -batch - <<'END'
link set lo up
link add br0 type bridge
link set br0 up
${ports.map((port) => `link set ${port} master br0 up`).join("\n")}
END
`;
}

/** The outside: one host that is server and default router, of the second network too. */
export function serverScript({ server, second }: Topology): string {
  const devices = second.length > 0 ? [OUTSIDE, SECOND] : [OUTSIDE];
  const lines = [
    "link set lo up",
    ...server.map((address) => `address add ${withLength(address, "subnet")} dev ${OUTSIDE}`),
    ...second.map((address) => `address add ${withLength(address, "subnet")} dev ${SECOND}`),
    ...devices.map((device) => `link set ${device} up`),
  ];
  return `
${noDuplicateDetection(devices)}
ip -batch - <<'END'
${lines.join("\n")}
END
`;
}

/** A node as a Kubernetes installation leaves it: forwarding, strict rp_filter, masquerade. */
export function nodeScript(topology: Topology, node: LabNode): string {
  const others = topology.nodes.filter(({ name }) => name !== node.name);
  const lines = [
    "link set lo up",
    ...node.internal.map((one) => `address add ${withLength(one, "subnet")} dev ${UNDERLAY}`),
    ...addressLines(node),
    `link set ${UNDERLAY} up`,
    `link set ${OUTSIDE} up`,
    ...topology.server.map((address) => `route add default via ${address} dev ${OUTSIDE}`),
    ...secondLines(topology, node),
    // As kindnet and flannel's host-gw do: every other node's pods by that node.
    ...others.flatMap(({ podCIDRs, internal }) =>
      podCIDRs.map((cidr, i) => `route add ${cidr} via ${internal[i]} dev ${UNDERLAY}`),
    ),
  ];
  return `
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
sysctl -qw net.ipv6.conf.all.forwarding=1
${noDuplicateDetection([UNDERLAY, OUTSIDE, ...(node.second.length > 0 ? [SECOND] : [])])}
ip -batch - <<'END'
${lines.join("\n")}
END
nft -f - <<'END'
${masquerade(topology)}
END
`;
}

/**
 * Of IPv4 addresses the kernel calls the first one added the primary, of IPv6 addresses the last:
 * egress IPs come last, so the other family of a policy's egress IP is an egress IP too.
 */
function addressLines({ outside, egress }: LabNode): string[] {
  const own = outside.map((address) => `address add ${withLength(address, "subnet")}`);
  const extra = [...egress].reverse().flat();
  const lines = [...own, ...extra.map((address) => `address add ${withLength(address, "host")}`)];
  return lines.map((line) => `${line} dev ${OUTSIDE}`);
}

/** A second way out, which nothing takes that is not told to. */
function secondLines({ second: routers }: Topology, { second }: LabNode): string[] {
  if (second.length === 0) return [];
  return [
    ...second.map((address) => `address add ${withLength(address, "subnet")} dev ${SECOND}`),
    `link set ${SECOND} up`,
    ...routers.map((router) => `route add default via ${router} dev ${SECOND} metric 2048`),
  ];
}

/** What a CNI or an ip-masq-agent does: pods leave the cluster with their node's address. */
function masquerade({ ipv6 }: Topology): string {
  const rule = (family: "ip" | "ip6", i: 0 | 1) =>
    `${family} saddr ${POD_NETWORKS[i]} ${family} daddr != ` +
    `{ ${POD_NETWORKS[i]}, ${NODE_NETWORKS[i]} } masquerade`;
  return `table inet cni {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${rule("ip", 0)}
    ${ipv6 ? rule("ip6", 1) : ""}
  }
}`;
}

/** What a container runtime prepares before it calls the CNI. */
export function podScript(): string {
  return `
${noDuplicateDetection([])}
ip link set lo up
`;
}

/** Nobody else has the lab's addresses, and waiting a second to be sure is what makes labs slow. */
function noDuplicateDetection(devices: readonly string[]): string {
  return ["all", "default", ...devices]
    .map((device) => `sysctl -qw net.ipv6.conf.${device}.accept_dad=0`)
    .join("\n");
}

function withLength(address: string, kind: "subnet" | "host"): string {
  const v6 = address.includes(":");
  if (kind === "host") return `${address}/${v6 ? 128 : 32}`;
  return v6 ? `${address}/64 nodad` : `${address}/24`;
}
