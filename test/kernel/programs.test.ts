// The compiled programs on packets made by hand, with maps filled by the sink: the verdict, the
// mark and the reason that is counted. What the tunnel says of a packet cannot be made by hand:
// packets through a real one are in tunnel.test.ts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { ABI_DIRECTORY, COUNTED_REASONS } from "../../src/reconcile/datapath-maps.ts";
import type { MarkClass } from "../../src/reconcile/mark.ts";
import {
  encodeMark,
  INDEX_MAX,
  INDEX_NO_EGRESS_IP,
  INDEX_NONE,
  INDEX_REPLY,
  INDEX_UNKNOWN_GATEWAY,
} from "../../src/reconcile/mark.ts";
import { PROGRAM_NAMES } from "../../src/sinks/programs.ts";
import { EGRESS_INDEX, EGRESS_INDEX_V6, FROM_TUNNEL_REASONS } from "./datapath-node.ts";
import { GATEWAY_INDEX } from "./datapath-node.ts";
import { ifindexOf, objectMissing, openNode, sampleDatapath } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { DROP, ethernet, frame, GO_ON, runProgram } from "./program-run.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;
const SYNCED = { prune: true };
const { fromPod, toTunnel, fromTunnel } = PROGRAM_NAMES;

/** Where the pods' packets come from, by ifindex: the device of 10.0.1.5, and another's. */
const devices = skip === false ? makeDevices() : { mine: 0, other: 0 };
const shifted = { ...DEFAULT_SETTINGS, markShift: 16 };
const plain = await load("plain", {});
const moved = await load("shifted", { settings: shifted });
after(() => [plain, moved].forEach((node) => node?.programs.close()));

function makeDevices(): { mine: number; other: number } {
  shell("ip link add pod-a type veth peer name pod-b; ip link set pod-a up; ip link set pod-b up");
  return { mine: ifindexOf("pod-a"), other: ifindexOf("pod-b") };
}

type Node = NonNullable<Awaited<ReturnType<typeof load>>>;

async function load(name: string, options: Parameters<typeof openNode>[1]) {
  if (skip !== false) return undefined;
  const directory = join(bpffs.directory, name);
  const programs = await openNode(directory, options);
  await programs.apply(sampleDatapath(devices.mine), SYNCED);
  return { directory, programs };
}

interface Want {
  readonly packet: Buffer;
  readonly ifindex?: number;
  readonly mark?: number;
  readonly reason: string;
  /** Dropped; else the mark that it has then. */
  readonly drops?: boolean;
  readonly marked?: number;
}

async function check(program: string, want: Want, node = plain as Node): Promise<void> {
  const { packet, mark = 0, ifindex = devices.mine, reason, drops = false, marked = mark } = want;
  const before = await node.programs.counters();
  const path = join(node.directory, ABI_DIRECTORY, program);
  const result = runProgram(path, { packet, ifindex, mark });
  const now = await node.programs.counters();
  const counted = [...now].filter(([name, packets]) => packets !== before.get(name));
  assert.deepEqual(counted, [[reason, (before.get(reason) ?? 0) + 1]]);
  assert.equal(result.verdict, drops ? DROP : GO_ON);
  if (!drops) assert.equal(result.mark.toString(16), marked.toString(16));
}

const mark = (kind: MarkClass, index: number) => encodeMark(kind, index, 0);
const pod4 = (to: string) => frame({ from: "10.0.1.5", to });
const pod6 = (to: string) => frame({ from: "fd00:1::5", to });
const tagged = (from: string, to: string) => frame({ from, to, tags: [0] });
const TO_GATEWAY = { reason: "ProposedTunnel", marked: mark("tunnel", GATEWAY_INDEX) };
const BORROWED = { reason: "SpoofedSource", drops: true };

const FROM_POD: Readonly<Record<string, readonly Want[]>> = {
  "leaves the inside of the cluster alone, also within rows [8.1]": [
    { packet: pod4("10.0.2.5"), reason: "ClusterDestination" },
    { packet: pod4("192.168.1.2"), reason: "ClusterDestination" },
    { packet: pod6("fd00:9::1"), reason: "ClusterDestination" },
    { packet: pod6("fd01:9::1"), ...TO_GATEWAY },
    { packet: pod4("11.0.0.1"), ...TO_GATEWAY },
  ],
  "leaves what stays on the link alone [8.1]": [
    ...["169.254.169.254", "224.0.0.251", "239.1.2.3", "255.255.255.255"].map((to) => ({
      packet: pod4(to),
      reason: "ClusterDestination",
    })),
    ...["fe80::1", "febf::1", "ff02::fb"].map((to) => ({
      packet: pod6(to),
      reason: "ClusterDestination",
    })),
    // Their neighbours are no such thing.
    { packet: pod4("169.253.0.1"), reason: "NoRow" },
    { packet: pod4("240.0.0.1"), reason: "NoRow" },
    { packet: pod6("fec0::1"), ...TO_GATEWAY },
  ],
  "leaves alone what no row covers or an exclusion does [8.3]": [
    { packet: pod4("192.0.2.1"), reason: "NoRow" },
    { packet: frame({ from: "10.0.1.77", to: "203.0.113.7" }), reason: "NoRow" },
    { packet: pod4("203.0.113.128"), reason: "Excluded" },
  ],
  "proposes the row's gateway [8.3]": [
    { packet: pod4("203.0.113.127"), ...TO_GATEWAY },
    { packet: pod6("2001:db8:1::7"), ...TO_GATEWAY },
  ],
  "proposes the egress IP where this node is the gateway [8.3]": [
    {
      packet: pod4("198.51.100.1"),
      ...{ reason: "ProposedLocal", marked: mark("local", EGRESS_INDEX) },
    },
    {
      packet: pod6("2001:db8:2::1"),
      ...{ reason: "ProposedLocal", marked: mark("local", EGRESS_INDEX_V6) },
    },
  ],
  "proposes to drop without a gateway, an egress IP, an index [8.3]": [
    ["198.51.100.192", mark("tunnel", INDEX_NONE)] as const,
    ["198.51.100.64", mark("local", INDEX_NO_EGRESS_IP)] as const,
    ["2001:db8:3::1", mark("local", INDEX_NO_EGRESS_IP)] as const,
    ["198.51.100.128", mark("tunnel", INDEX_UNKNOWN_GATEWAY)] as const,
  ].map(([to, marked]) => ({
    packet: to.includes(":") ? pod6(to) : pod4(to),
    reason: "ProposedDrop",
    marked,
  })),
  "drops a source that is another's, for the outside alone [8.9]": [
    { packet: pod4("203.0.113.7"), ifindex: devices.other, ...BORROWED },
    { packet: pod6("2001:db8:1::7"), ifindex: devices.other, ...BORROWED },
    { packet: pod4("192.0.2.1"), ifindex: devices.other, ...BORROWED },
    { packet: frame({ from: "10.0.2.5", to: "203.0.113.7" }), ...BORROWED },
    { packet: frame({ from: "fd00:2::5", to: "2001:db8:1::7" }), ...BORROWED },
    { packet: pod4("10.0.2.5"), ifindex: devices.other, reason: "ClusterDestination" },
    // An egress IP of this node, which the kernel refuses itself only in IPv4.
    { packet: frame({ from: "192.0.2.10", to: "203.0.113.7" }), ...BORROWED },
    { packet: frame({ from: "2001:db8:f::1", to: "2001:db8:1::7" }), ...BORROWED },
    { packet: frame({ from: "2001:db8:f::2", to: "2001:db8:1::7" }), reason: "NoRow" },
    // The device of this one is not found yet; nftables holds it.
    { packet: frame({ from: "10.0.1.6", to: "203.0.113.7" }), ...TO_GATEWAY },
  ],
  "knows fragments and any protocol by their addresses [8.3]": [
    { packet: frame({ from: "10.0.1.5", to: "203.0.113.7", fragment: 0x2000 }), ...TO_GATEWAY },
    { packet: frame({ from: "10.0.1.5", to: "203.0.113.7", fragment: 0x00b9 }), ...TO_GATEWAY },
    {
      packet: frame({ from: "10.0.1.5", to: "203.0.113.7", protocol: 253, payload: Buffer.of() }),
      ...TO_GATEWAY,
    },
    // Hop-by-hop options, a fragment header, a destination option, nothing at all.
    ...[0, 44, 60, 59].map((protocol) => ({
      packet: frame({ from: "fd00:1::5", to: "2001:db8:1::7", protocol }),
      ...TO_GATEWAY,
    })),
  ],
  "looks behind VLAN tags, which the kernel may take off [8.9]": [
    { packet: frame({ from: "10.0.1.5", to: "203.0.113.7", tags: [0] }), ...TO_GATEWAY },
    { packet: frame({ from: "fd00:1::5", to: "2001:db8:1::7", tags: [7, 0] }), ...TO_GATEWAY },
    { packet: frame({ from: "10.0.2.5", to: "203.0.113.7", tags: [0, 0, 0, 0] }), ...BORROWED },
    { packet: frame({ from: "10.0.1.5", to: "203.0.113.7", tags: [0, 0, 0, 0, 0] }), ...BORROWED },
  ],
  "drops IPv6 that would pass for IPv4 in the maps [8.9]": [
    { packet: frame({ from: "::ffff:0a00:0105", to: "2001:db8:1::7" }), ...BORROWED },
    { packet: frame({ from: "fd00:1::5", to: "::ffff:0a00:0205" }), ...BORROWED },
  ],
  "leaves alone what is no IP, or cut short [8.1]": [
    { packet: ethernet(0x0806, Buffer.alloc(28)), reason: "NotIP" },
    { packet: ethernet(0x88cc, Buffer.alloc(40)), reason: "NotIP" },
    { packet: ethernet(0x0806, Buffer.alloc(28), [7]), reason: "NotIP" },
    { packet: ethernet(0x8100, Buffer.alloc(3)), reason: "NotIP" },
    // Without a tag the kernel refuses to run on a piece of a header.
    { packet: tagged("10.0.1.5", "203.0.113.7").subarray(0, 18 + 19), reason: "NotIP" },
    { packet: tagged("10.0.1.5", "203.0.113.7").subarray(0, 18 + 20), ...TO_GATEWAY },
    { packet: tagged("fd00:1::5", "2001:db8:1::7").subarray(0, 18 + 39), reason: "NotIP" },
    { packet: tagged("fd00:1::5", "2001:db8:1::7").subarray(0, 18 + 40), ...TO_GATEWAY },
  ],
};

for (const [title, wants] of Object.entries(FROM_POD)) {
  test(`${fromPod} ${title}`, { skip }, async () => {
    for (const want of wants) await check(fromPod, want);
  });
}

test(`${fromPod} keeps the bits of others in the mark [8.3]`, { skip }, async () => {
  const packet = pod4("203.0.113.7");
  const theirs = 0xffffc000;
  const ours = mark("tunnel", GATEWAY_INDEX);
  // What ours were before does not matter.
  for (const before of [theirs, theirs + 0x3fff, 0x4000]) {
    const marked = ((before & theirs) | ours) >>> 0;
    await check(fromPod, { packet, mark: before, reason: "ProposedTunnel", marked });
  }
  const high = ((ours << 16) | 0xc000ffff) >>> 0;
  const want = { packet, mark: 0xffffffff, reason: "ProposedTunnel", marked: high };
  await check(fromPod, want, moved as Node);
});

const answer = frame({ from: "198.51.100.1", to: "10.0.2.5" });
const answer6 = frame({ from: "2001:db8:1::7", to: "fd00:2::5" });
const THEIRS = 0x80008000;
const STRAY = { reason: "StrayTunnel", drops: true };

const TO_TUNNEL: Readonly<Record<string, readonly Want[]>> = {
  "sends requests to the mark's gateway and clears our bits [8.3]": [
    {
      packet: pod4("203.0.113.7"),
      ...{ mark: THEIRS + mark("tunnel", GATEWAY_INDEX), reason: "SentRequest", marked: THEIRS },
    },
    {
      packet: pod6("2001:db8:1::7"),
      ...{ mark: mark("tunnel", GATEWAY_INDEX), reason: "SentRequest", marked: 0 },
    },
  ],
  "sends answers to the node of their endpoint [8.4]": [
    {
      packet: answer,
      ...{ mark: THEIRS + mark("gateway", EGRESS_INDEX), reason: "SentReply", marked: THEIRS },
    },
    { packet: answer6, mark: mark("gateway", EGRESS_INDEX_V6), reason: "SentReply", marked: 0 },
  ],
  "drops what has lost its gateway or its endpoint [8.4]": [
    ...[1, INDEX_MAX].map((index) => ({
      packet: pod4("203.0.113.7"),
      ...{ mark: mark("tunnel", index), reason: "GatewayGone", drops: true },
    })),
    // Nobody, and a pod of this node.
    ...["10.0.2.99", "10.0.1.5"].map((to) => ({
      packet: frame({ from: "198.51.100.1", to }),
      ...{ mark: mark("gateway", EGRESS_INDEX), reason: "UnknownEndpoint", drops: true },
    })),
  ],
  "drops what nobody decided to send there [8.8]": [
    { packet: answer, ...STRAY },
    { packet: pod4("203.0.113.7"), mark: THEIRS, ...STRAY },
    ...[INDEX_NONE, INDEX_UNKNOWN_GATEWAY, INDEX_NO_EGRESS_IP, INDEX_REPLY].map((index) => ({
      packet: pod4("203.0.113.7"),
      ...{ mark: mark("tunnel", index), ...STRAY },
    })),
    { packet: answer, mark: mark("local", EGRESS_INDEX), ...STRAY },
    {
      packet: ethernet(0x0806, Buffer.alloc(28)),
      ...{ mark: mark("tunnel", GATEWAY_INDEX), ...STRAY },
    },
  ],
};

for (const [title, wants] of Object.entries(TO_TUNNEL)) {
  test(`${toTunnel} ${title}`, { skip }, async () => {
    for (const want of wants) await check(toTunnel, want);
  });
}

test(`${toTunnel} reads a mark where the settings put it [8.3]`, { skip }, async () => {
  const shiftedMark = encodeMark("tunnel", GATEWAY_INDEX, shifted.markShift);
  const want = { packet: pod4("203.0.113.7"), mark: shiftedMark + 0x8fff, marked: 0x8fff };
  await check(toTunnel, { ...want, reason: "SentRequest" }, moved as Node);
  await check(toTunnel, { ...want, ...STRAY });
});

test("every reason of the programs is reached, here or through a tunnel", () => {
  const wants = [...Object.values(FROM_POD), ...Object.values(TO_TUNNEL)].flat();
  const reached = new Set([...wants.map(({ reason }) => reason), "ForeignTunnel"]);
  const others = COUNTED_REASONS.filter((reason) => !reached.has(reason));
  assert.deepEqual(others, FROM_TUNNEL_REASONS);
});

test(`${fromTunnel} drops what came through no tunnel [8.9]`, { skip }, async () => {
  const foreign = { reason: "ForeignTunnel", drops: true };
  await check(fromTunnel, { packet: pod4("203.0.113.7"), ...foreign });
  await check(fromTunnel, { packet: ethernet(0x0806, Buffer.alloc(28)), ...foreign });
});
