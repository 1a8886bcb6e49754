// The two programs of the tunnel on packets through a real one, between two network namespaces:
// this process is the node 192.168.1.1, the other end is a node that sends what it is told to.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { after, test } from "node:test";
import { present } from "../../src/lib/assert.ts";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import {
  encodeMark,
  INDEX_NO_EGRESS_IP,
  INDEX_NONE,
  INDEX_REPLY,
} from "../../src/reconcile/mark.ts";
import type { Programs } from "../../src/sinks/programs.ts";
import { address } from "../support/sample-plan.ts";
import { EGRESS_INDEX, EGRESS_INDEX_V6, FROM_TUNNEL_REASONS } from "./datapath-node.ts";
import { GATEWAY_INDEX, THIRD } from "./datapath-node.ts";
import { ifindexOf, objectMissing, openNode, sampleDatapath } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell, startPod } from "./private-netns.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;
const { tunnelPort, vni } = DEFAULT_SETTINGS;
const SYNCED = { prune: true };

/** The mode of addresses first: up in the same step would bring a link-local address with it. */
const TUNNEL = `
  echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
  echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
  ip link add sluice0 type vxlan external dstport ${tunnelPort} nolearning
  ip link set sluice0 addrgenmode none mtu 1400 arp off
  ip link set sluice0 up`;

/** Here: counts the marks of what comes out of the tunnel, and looks at what goes in. */
const HERE = `${TUNNEL}
  ip addr add 10.0.1.5/32 dev lo; ip -6 addr add fd00:1::5/128 dev lo nodad
  ip addr add 192.168.1.99/24 dev under; ip addr add 192.168.1.1/24 dev under
  ip route replace 192.168.1.2 dev under src 192.168.1.99
  ip rule add fwmark 0x1000/0x3000 table 77; ip rule add fwmark 0x2000/0x3000 table 77
  ip -6 rule add fwmark 0x1000/0x3000 table 77; ip -6 rule add fwmark 0x2000/0x3000 table 77
  ip route add default dev sluice0 table 77; ip -6 route add default dev sluice0 table 77
  nft -f - <<END
  table inet probe {
    set marks { type mark; flags dynamic; size 64; counter; }
    counter clean { }
    chain in { type filter hook prerouting priority raw; iifname sluice0 update @marks { mark }; }
    chain out { type filter hook postrouting priority 0;
      oifname under udp dport ${tunnelPort} meta mark 0x40000000 counter name clean; }
  }
END`;

/** There: sends through lightweight tunnels to whatever it is told, and looks at what arrives. */
const THERE = `${TUNNEL}
  ip addr add 192.168.1.2/24 dev under; ip link set under up
  ip addr add 10.0.2.5/32 dev lo; ip addr add 10.0.9.9/32 dev lo
  ip addr add 203.0.113.1/32 dev lo; ip -6 addr add 2001:db8:1::1/128 dev lo nodad
  ip -6 addr add fd00:2::5/128 dev lo nodad; ip link set lo up
  nft -f - <<END
  table inet probe {
    counter right { }
    chain in { type filter hook prerouting priority raw;
      ip saddr 192.168.1.1 ip ttl 64 ip frag-off 0x4000 udp dport ${tunnelPort} \
        udp checksum 0 @th,96,24 ${vni} counter name right; }
  }
END`;

interface Wire {
  readonly programs: Programs;
  readonly datapath: NodeDatapath;
  /** Runs lines of shell in the other namespace. */
  readonly there: (script: string) => string;
}

const cleanups: (() => unknown)[] = [];
const wire = skip === false ? await makeWire() : undefined;
after(() => cleanups.reverse().forEach((work) => work()));

async function makeWire(): Promise<Wire> {
  const context = { after: (work: () => unknown) => cleanups.push(work) } as unknown as TestContext;
  const pid = await startPod(context);
  const there = (script: string) =>
    shell(`nsenter --net=/proc/${pid}/ns/net sh -ec '${script.replaceAll("'", "'\\''")}'`);
  shell(`ip link add under type veth peer name under netns ${pid}; ip link set under up`);
  there(THERE);
  shell(HERE);
  const programs = await openNode(join(bpffs.directory, "tunnel"));
  const datapath = sampleDatapath(0);
  await programs.apply(datapath, SYNCED);
  const outcome = programs.attach({ tunnel: ifindexOf("sluice0"), pods: [] });
  assert.deepEqual(outcome.failed, []);
  cleanups.push(() => programs.close());
  return { programs, datapath, there };
}

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly vni?: number;
}

/** Sends one UDP packet from there, and gives what was counted here, and its mark. */
async function receive({ from, to, ...more }: Sent): Promise<{ reason: string; mark?: string }> {
  const { programs, there } = present(wire, "the wire");
  const v6 = to.includes(":");
  const before = await programs.counters();
  shell("nft flush set inet probe marks");
  there(`ip ${v6 ? "-6" : ""} route replace ${to} encap ip id ${more.vni ?? vni} \
      dst 192.168.1.1 dev sluice0 src ${from}
    bash -c "echo x > /dev/udp/${to}/9"
    ip ${v6 ? "-6" : ""} route del ${to}`);
  const now = await programs.counters();
  const counted = [...now].filter(([name, packets]) => packets !== before.get(name));
  assert.equal(counted.length, 1, `${from} -> ${to}: ${JSON.stringify(counted)}`);
  const mark = shell("nft list set inet probe marks").match(/0x[0-9a-f]{8}/)?.[0];
  const [[reason]] = counted as [[string, number]];
  return { reason, ...(mark === undefined ? {} : { mark }) };
}

const hex = (mark: number) => `0x${mark.toString(16).padStart(8, "0")}`;
const gateway = (index: number) => hex(encodeMark("gateway", index, 0));
const tunnelTest = (title: string, body: () => Promise<void>) => test(title, { skip }, body);

/** Runs `body` with another datapath, and puts ours back. */
async function having(change: Partial<NodeDatapath>, body: () => Promise<void>): Promise<void> {
  const { programs, datapath } = present(wire, "the wire");
  await programs.apply({ ...datapath, ...change }, SYNCED);
  try {
    await body();
  } finally {
    await programs.apply(datapath, SYNCED);
  }
}

tunnelTest("requests get the index of their row's egress IP [8.3]", async () => {
  const request = { reason: "TunnelRequest", mark: gateway(EGRESS_INDEX) };
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "203.0.113.7" }), request);
  // Whatever gateway the row names: whoever sends it here has a reason (rule 7.7).
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "198.51.100.1" }), request);
  assert.deepEqual(await receive({ from: "fd00:2::5", to: "2001:db8:1::7" }), {
    ...{ reason: "TunnelRequest", mark: gateway(EGRESS_INDEX_V6) },
  });
});

tunnelTest("requests without a row or an egress IP are proposed to be dropped [8.3]", async () => {
  const none = { reason: "ProposedDrop", mark: gateway(INDEX_NONE) };
  // No row, an exclusion, a policy without a gateway.
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "192.0.2.1" }), none);
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "203.0.113.200" }), none);
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "198.51.100.200" }), none);
  const without = { reason: "ProposedDrop", mark: gateway(INDEX_NO_EGRESS_IP) };
  // Unspecified, and one that this node does not have.
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "198.51.100.64" }), without);
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "198.51.100.130" }), without);
  assert.deepEqual(await receive({ from: "fd00:2::5", to: "2001:db8:3::1" }), without);
});

tunnelTest("a source that is not known yet begins no flow, but goes on [8.6]", async () => {
  assert.deepEqual(await receive({ from: "10.0.9.9", to: "203.0.113.7" }), {
    ...{ reason: "ProposedDrop", mark: gateway(INDEX_NONE) },
  });
});

tunnelTest("a source that lives on another node than the sender is dropped [8.9]", async () => {
  const { datapath } = present(wire, "the wire");
  const endpoints = datapath.endpoints.map((one) => ({
    ...{ ...one, node: one.ifindex === 0 ? address(THIRD) : one.node },
  }));
  await having({ endpoints }, async () => {
    const spoofed = { reason: "SpoofedTunnel" };
    assert.deepEqual(await receive({ from: "10.0.2.5", to: "203.0.113.7" }), spoofed);
    assert.deepEqual(await receive({ from: "fd00:2::5", to: "2001:db8:1::7" }), spoofed);
  });
});

tunnelTest("what no node sends, or with another VNI, is dropped [8.9]", async () => {
  const foreign = { reason: "ForeignTunnel" };
  assert.deepEqual(await receive({ from: "10.0.2.5", to: "203.0.113.7", vni: vni + 1 }), foreign);
  await having({ nodes: ["192.168.1.1", THIRD].map(address) }, async () => {
    assert.deepEqual(await receive({ from: "10.0.2.5", to: "203.0.113.7" }), foreign);
    assert.deepEqual(await receive({ from: "203.0.113.1", to: "10.0.1.5" }), foreign);
  });
});

tunnelTest("answers for pods of this node are marked as such [8.4]", async () => {
  const answer = { reason: "TunnelReply", mark: hex(encodeMark("tunnel", INDEX_REPLY, 0)) };
  assert.deepEqual(await receive({ from: "203.0.113.1", to: "10.0.1.5" }), answer);
  assert.deepEqual(await receive({ from: "2001:db8:1::1", to: "fd00:1::5" }), answer);
});

tunnelTest("only a gateway of this node's pods answers them [8.9]", async () => {
  const spoofed = { reason: "SpoofedReply" };
  // It may send requests all the same: it is a node.
  await having({ gateways: [{ index: GATEWAY_INDEX, address: address(THIRD) }] }, async () => {
    assert.deepEqual(await receive({ from: "203.0.113.1", to: "10.0.1.5" }), spoofed);
    assert.deepEqual(await receive({ from: "2001:db8:1::1", to: "fd00:1::5" }), spoofed);
    const { reason } = await receive({ from: "10.0.2.5", to: "203.0.113.7" });
    assert.equal(reason, "TunnelRequest");
  });
});

tunnelTest("nobody reaches the inside of the cluster through the tunnel [8.9]", async () => {
  const not = { reason: "NotServed" };
  for (const to of ["10.0.2.99", "192.168.1.3", "169.254.169.254"]) {
    assert.deepEqual(await receive({ from: "10.0.2.5", to }), not, to);
  }
  assert.deepEqual(await receive({ from: "fd00:2::5", to: "fd00:9::1" }), not);
});

/** Sends a ping with a mark into the tunnel; what was counted here, and seen on both sides. */
async function send(from: string, to: string, mark: number) {
  const { programs, there } = present(wire, "the wire");
  const before = await programs.counters();
  const reset = "nft reset counter inet probe";
  shell(`${reset} clean`);
  there(`${reset} right`);
  shell(`ping -q -c 1 -W 0.1 -I ${from} -m ${0x40000000 + mark} ${to} || true`);
  const now = await programs.counters();
  const counted = [...now].filter(([name, packets]) => packets !== before.get(name));
  const packetsOf = (text: string) => Number(/packets (\d+)/.exec(text)?.[1]);
  return {
    reasons: counted.map(([name]) => name),
    clean: packetsOf(shell("nft list counter inet probe clean")),
    right: packetsOf(there("nft list counter inet probe right")),
  };
}

tunnelTest("outer packets have the node's address, VNI, no checksum, no mark [8.3]", async () => {
  const request = encodeMark("tunnel", GATEWAY_INDEX, 0);
  const sent = { reasons: ["SentRequest"], clean: 1, right: 1 };
  assert.deepEqual(await send("10.0.1.5", "198.51.100.9", request), sent);
  assert.deepEqual(await send("fd00:1::5", "2001:db8:5::9", request), sent);
  const reply = encodeMark("gateway", EGRESS_INDEX, 0);
  assert.deepEqual(await send("10.0.1.5", "10.0.2.5", reply), { ...sent, reasons: ["SentReply"] });
  // The control: what has no gateway is not seen on the wire.
  assert.deepEqual(await send("10.0.1.5", "198.51.100.9", request + 1), {
    ...{ reasons: ["GatewayGone"], clean: 0, right: 0 },
  });
});

tunnelTest("every reason that needs a tunnel was reached", async () => {
  const counters = await present(wire, "the wire").programs.counters();
  assert.deepEqual(FROM_TUNNEL_REASONS.filter((reason) => !counters.get(reason)), []);
});
