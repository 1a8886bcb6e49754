// What the two nodes of a path do with the pod's packets: nothing but routing, a plain VXLAN
// tunnel, marks by ipset and iptables as other egress gateways set them, and Sluice itself.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PacketPath } from "./packet-path.ts";
import {
  EGRESS_IP,
  GATEWAY,
  GATEWAY_OUTSIDE,
  NODE_NETWORK,
  POD,
  POD_NETWORK,
  WORKER,
} from "./packet-path.ts";

export interface Variant {
  readonly name: string;
  readonly about: string;
  /** The address that the server must see. */
  readonly source: string;
  readonly setUp: (path: PacketPath) => Promise<void>;
}

const PODS_PER_SUBNET = 250;
const READY_MS = 60_000;

export const VARIANTS: readonly Variant[] = [
  {
    name: "routing",
    about: "no tunnel; the gateway masquerades",
    source: GATEWAY_OUTSIDE,
    setUp: masquerade,
  },
  {
    name: "vxlan",
    about: "all of the pod through a VXLAN tunnel; the gateway masquerades",
    source: GATEWAY_OUTSIDE,
    async setUp(path) {
      await vxlan(path);
      await masquerade(path);
      await path.run("worker", `ip route replace default via 10.99.0.21 dev vx onlink`);
      await path.run("gateway", `ip route replace 10.244.1.0/24 via 10.99.0.11 dev vx onlink`);
    },
  },
  ...[1, 100, 1000].map((policies) => ipset(policies)),
  ...[1, 100, 1000].map((policies) => sluice(policies)),
];

/** The gateway masquerades pods; the worker, with a CNI's rules, those that it sends out itself. */
async function masquerade(path: PacketPath): Promise<void> {
  const table = (rule: string) => `nft -f - <<'END'
table inet cni {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ${rule}
  }
}
END`;
  await path.run("worker", table(`oifname out ip saddr ${POD_NETWORK} masquerade`));
  await path.run("gateway", table(`oifname out ip saddr ${POD_NETWORK} masquerade`));
}

/** A tunnel with fixed ends, whose inner frames have room: the TCP segment size is clamped. */
async function vxlan(path: PacketPath): Promise<void> {
  const end = (mine: string, peer: string, own: number, other: number) => `
    ip link add vx type vxlan id 100 local ${mine} remote ${peer} dstport 7789 nolearning dev under
    ip link set vx address 66:00:00:00:00:${own} mtu 1450 up
    ip address add 10.99.0.${own}/24 dev vx
    ip neighbour replace 10.99.0.${other} lladdr 66:00:00:00:00:${other} dev vx
    nft -f - <<'END'
table inet clamp {
  chain forward {
    type filter hook forward priority 0
    tcp flags & (syn | rst) == syn tcp option maxseg size set 1410
  }
}
END`;
  await path.run("worker", end(WORKER, GATEWAY, 11, 21));
  await path.run("gateway", end(GATEWAY, WORKER, 21, 11));
}

/**
 * One set of sources and one rule for each policy, tried one after the other; the pod is in the
 * last one. A mark leads into the tunnel, on the gateway a rule for each policy translates.
 */
function ipset(policies: number): Variant {
  const sets = Array.from({ length: policies }, (_, i) => i);
  const inside = "-m set ! --match-set inside dst -m conntrack --ctdir ORIGINAL";
  const lists = [
    "create inside hash:net",
    `add inside ${POD_NETWORK}`,
    `add inside ${NODE_NETWORK}`,
    ...sets.flatMap((i) => [`create s${i} hash:ip`, `add s${i} ${addressOfPod(i, policies)}`]),
  ].join("\n");
  const restore = (rules: readonly string[]) => `
    ipset restore <<'END'
${lists}
END
    iptables-legacy-restore -n <<'END'
${rules.join("\n")}
END`;
  const mark = "-j MARK --set-mark 0x26000001";
  const connection = "-m connmark --mark 0x26000002 -j MARK --set-mark 0x26000002";
  return {
    name: `ipset-${policies}`,
    about: `ipset and iptables marks into a VXLAN tunnel, policies: ${policies}`,
    source: EGRESS_IP,
    async setUp(path) {
      await vxlan(path);
      await path.run("worker", restore([
        "*mangle",
        ...sets.map((i) =>
          `-A PREROUTING -i pod+ -m set --match-set s${i} src ${inside} ${mark}`,
        ),
        "COMMIT",
        "*nat",
        "-A POSTROUTING -m mark --mark 0x26000001 -j ACCEPT",
        `-A POSTROUTING -s ${POD_NETWORK} -m set ! --match-set inside dst -j MASQUERADE`,
        "COMMIT",
      ]));
      await path.run("gateway", restore([
        "*mangle",
        "-A PREROUTING -i vx -m conntrack --ctstate NEW -j CONNMARK --set-mark 0x26000002",
        `-A PREROUTING -m conntrack --ctdir REPLY ${connection}`,
        "COMMIT",
        "*nat",
        ...sets.map((i) =>
          `-A POSTROUTING -m set --match-set s${i} src ${inside} -j SNAT --to-source ${EGRESS_IP}`,
        ),
        "COMMIT",
      ]));
      await path.run("worker", `ip rule add pref 90 fwmark 0x26000001 lookup 3000
        ip route add default via 10.99.0.21 dev vx onlink table 3000
        ip route add throw ${NODE_NETWORK} table 3000`);
      await path.run("gateway", `ip rule add pref 90 fwmark 0x26000002 lookup 3001
        ip route add 10.244.1.0/24 via 10.99.0.11 dev vx onlink table 3001`);
    },
  };
}

/** Two agents; each policy selects a pod of the worker, the last one the pod that is there. */
function sluice(policies: number): Variant {
  return {
    name: `sluice-${policies}`,
    about: `two agents, policies: ${policies}`,
    source: EGRESS_IP,
    async setUp(path) {
      await masquerade(path);
      const source = join(path.directory, "objects");
      mkdirSync(source);
      for (const [i, object] of objectsFor(policies).entries()) {
        writeFileSync(join(source, `${i}.json`), JSON.stringify(object));
      }
      for (const node of ["worker", "gateway"] as const) {
        const main = new URL("../dist/cli/main.js", import.meta.url).pathname;
        const bpf = await path.mountBpf(node);
        const state = join(path.directory, node, "state");
        const words = ["--source", source, "--node", node, "--bpf-dir", bpf, "--state-dir", state];
        path.start(node, [process.execPath, main, "agent", ...words]);
      }
      for (const node of ["worker", "gateway"] as const) await untilReady(path, node);
    },
  };
}

async function untilReady(path: PacketPath, node: "worker" | "gateway"): Promise<void> {
  const ask = new URL("../dist/apps/lab/server/ask.js", import.meta.url).pathname;
  const seconds = String(READY_MS / 1000);
  await path.run(node, `${process.execPath} ${ask} http://127.0.0.1:9878/readyz ${seconds}`);
  // Its own work, as garbage collection, shall not be measured.
  await sleep(500);
}

function objectsFor(policies: number): object[] {
  const node = (name: string, address: string, podCIDR: string) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: [{ type: "InternalIP", address }] },
  });
  const numbers = Array.from({ length: policies }, (_, i) => i);
  return [
    node("worker", WORKER, "10.244.0.0/20"),
    node("gateway", GATEWAY, "10.244.16.0/20"),
    ...numbers.flatMap((i) => [
      podObject(`pod-${i}`, addressOfPod(i, policies)),
      policyObject(i),
    ]),
  ];
}

function addressOfPod(i: number, policies: number): string {
  if (i === policies - 1) return POD;
  return `10.244.${2 + Math.floor(i / PODS_PER_SUBNET)}.${(i % PODS_PER_SUBNET) + 1}`;
}

function podObject(name: string, address: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "bench", uid: name, labels: { pod: name } },
    spec: { nodeName: "worker" },
    status: { phase: "Running", podIP: address, podIPs: [{ ip: address }] },
  };
}

function policyObject(i: number): object {
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: `policy-${i}` },
    spec: {
      selectors: [{ podSelector: { matchLabels: { pod: `pod-${i}` } } }],
      destinationCIDRs: ["0.0.0.0/0"],
      egressGateways: [
        {
          nodeSelector: { matchLabels: { "kubernetes.io/hostname": "gateway" } },
          egressIP: EGRESS_IP,
        },
      ],
    },
  };
}
