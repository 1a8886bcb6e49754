// Checks of the node's devices: whose network this is, whether another datapath takes packets past
// the kernel's stack, and whether the tunnel has its port.

import type { DatapathSettings } from "../../../reconcile/datapath.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";
import type { DoctorLink, DoctorProgram, NetworkFacts } from "./network-facts.ts";

/** Which network plugin it looks like; a guess, for people. */
export function checkCni({ links }: NetworkFacts): Finding {
  const check = "cni";
  const pods = links.filter(isPodDevice);
  const seen = pods.length === 1 ? "1 pod device" : `${pods.length} pod devices`;
  const has = (pattern: RegExp) => links.some(({ name }) => pattern.test(name));
  if (has(/^cilium_(host|net|vxlan)$/)) return ok(check, "looks like Cilium");
  if (has(/^cali[0-9a-f]{6,}$/) || has(/^(vxlan\.calico|tunl0)$/)) {
    return ok(check, `looks like Calico, ${seen}`);
  }
  if (has(/^flannel[.-]/)) return ok(check, `looks like flannel, ${seen}`);
  const bridges = new Set(pods.map(({ master }) => master).filter((master) => master !== ""));
  if (bridges.size > 0) {
    return ok(check, `looks like the bridge plugin (${[...bridges].join(", ")}), ${seen}`);
  }
  if (pods.length > 0) return ok(check, `looks like ptp or kindnet: routed, ${seen}`);
  const message = "no pod device (veth with its peer in another namespace) is here";
  const remedy =
    "nothing, if no pod runs here yet; pods on ipvlan, macvlan or SR-IOV devices cannot be served";
  return bad("warning", { check, message, remedy });
}

function isPodDevice({ kind, peerElsewhere }: DoctorLink): boolean {
  return (kind === "veth" || kind === "netkit") && peerElsewhere;
}

/** Names of our own programs at tc hooks, see bpf/sluice.bpf.c. */
const OURS = /^sluice_/;

/** Datapaths that take packets past connection tracking, routing and nftables. */
const DATAPATHS = [
  {
    name: "Cilium's own datapath",
    devices: /^(cilium_(host|net|vxlan|geneve)|lxc[0-9a-f]{6,}|lxc_health)$/,
    names: /^(cil_|tail_|__send_drop)/,
    remedy:
      "remove Cilium from this node, or run the agent with --datapath none: then Cilium's " +
      "datapath reads the policy maps, and its own egress gateway manager must be off",
  },
  {
    name: "Calico's eBPF datapath",
    devices: /^(bpf(in|out)\.cali|bpfnat(in|out))$/,
    names: /^cali(co)?_/,
    remedy:
      "switch Calico to iptables or nftables: bpfEnabled: false in its FelixConfiguration, then " +
      "restart calico-node",
  },
] as const;

/** Whether packets of pods take another way than through the kernel's stack. */
export function checkBypass({ links, programs }: NetworkFacts): Finding[] {
  const check = "datapath";
  const findings: Finding[] = [];
  const known = new Set<DoctorProgram>();
  for (const { name, devices, names, remedy } of DATAPATHS) {
    const devicesSeen = links.filter((one) => devices.test(one.name));
    const attachedSeen = programs.filter((one) => names.test(one.name));
    for (const program of attachedSeen) known.add(program);
    if (devicesSeen.length + attachedSeen.length === 0) continue;
    const seen = evidence(devicesSeen, attachedSeen);
    const message = `${name} runs here (${seen}): packets bypass the kernel's stack`;
    findings.push(bad("error", { check, message, remedy }));
  }
  const others = programs.filter((one) => !known.has(one) && !OURS.test(one.name));
  for (const { device, hook, name } of others.filter((one) => isPodHook(one, links))) {
    const message = `another program (${name}) is at the tc ${hook} hook of ${device}`;
    const remedy = "see whose it is: if it redirects packets, policies do not reach them";
    findings.push(bad("warning", { check, message, remedy }));
  }
  return findings.length > 0 ? findings : [ok(check, "no other eBPF datapath takes pods' packets")];
}

function isPodHook({ device }: DoctorProgram, links: readonly DoctorLink[]): boolean {
  return links.some((link) => link.name === device && isPodDevice(link));
}

/** Names told before the rest is only counted. */
const EVIDENCE_MAX = 3;

function evidence(links: readonly DoctorLink[], programs: readonly DoctorProgram[]): string {
  const attached = programs.map(({ name, device }) => `${name} on ${device}`);
  const names = [...links.map(({ name }) => name), ...attached];
  const told = names.slice(0, EVIDENCE_MAX).join(", ");
  const rest = names.length - EVIDENCE_MAX;
  return rest > 0 ? `${told} and ${rest} more` : told;
}

/** Whether the tunnel's port and name are free. `udp`: the text of /proc/net/udp and udp6. */
export function checkTunnel(
  { links }: NetworkFacts,
  udp: string,
  { tunnelPort, tunnelDevice }: DatapathSettings,
): Finding[] {
  const check = "tunnel";
  const findings: Finding[] = [];
  const own = links.find(({ name }) => name === tunnelDevice);
  if (own !== undefined && !own.external) {
    const kind = own.kind === "" ? "no vxlan device" : `a ${own.kind} device of somebody else`;
    const message = `a device ${tunnelDevice} is there, and is ${kind}`;
    const remedy = `rename or remove it: ip link delete ${tunnelDevice}`;
    findings.push(bad("error", { check, message, remedy }));
  }
  const rival = links.find(({ name, port }) => name !== tunnelDevice && port === tunnelPort);
  const remedy = "choose another port with --tunnel-port, the same on every node";
  if (rival !== undefined) {
    const message = `UDP port ${tunnelPort} belongs to the vxlan device ${rival.name}`;
    findings.push(bad("error", { check, message, remedy }));
  } else if (own?.port !== tunnelPort && hasUdpSocket(udp, tunnelPort)) {
    const message = `another program listens on UDP port ${tunnelPort}`;
    findings.push(bad("error", { check, message, remedy }));
  }
  if (findings.length > 0) return findings;
  const state = own === undefined ? "is free" : `is ours, on ${tunnelDevice}`;
  return [ok(check, `UDP port ${tunnelPort} ${state}`)];
}

/** Lines like `  12: 00000000:2119 00000000:0000 07 ...`; the port is hexadecimal. */
function hasUdpSocket(udp: string, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`^\\s*\\d+: [0-9A-F]+:${hex} `, "m").test(udp);
}
