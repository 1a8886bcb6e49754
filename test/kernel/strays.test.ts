// Packets that no well-behaved host sends, from pods whose traffic a policy covers, and answers
// that cannot be delivered: whatever becomes of them, nothing leaves with a pod's or a node's
// address.

import assert from "node:assert/strict";
import { test } from "node:test";
import { applyPolicies } from "../../src/apps/lab/policies.ts";
import { SERVER, SERVER_PORT } from "../../src/apps/lab/topology.ts";
import { countedDuring, shellOn } from "./lab-node.ts";
import type { Lab, Seen } from "./live-lab.ts";
import { assertFits, bringLabUp, killAgents, missingForAgents, startAgents } from "./live-lab.ts";
import { NO_LEAKS, seenDuring } from "./live-lab.ts";
import { NetnsSocket } from "./netns-socket.ts";
import type { Path } from "./pod-paths.ts";
import { openPaths } from "./pod-paths.ts";
import { icmpPacket, TCP, tcpPacket, udpPacket, withTtl } from "./segments.ts";

const skip = missingForAgents() ?? false;
const NODES = ["worker-1", "gateway-1", "gateway-2"];

/** What a pod may send out of the blue, or into a connection in whose window it does not lie. */
const STRAYS = {
  "RST": TCP.rst,
  "RST and ACK": TCP.rst | TCP.ack,
  "FIN": TCP.fin,
  "FIN and ACK": TCP.fin | TCP.ack,
  "SYN and FIN": TCP.syn | TCP.fin,
  "SYN and RST": TCP.syn | TCP.rst,
  "SYN and ACK": TCP.syn | TCP.ack,
  "data": TCP.psh | TCP.ack,
  "nothing": 0,
  "everything": 0x3f,
} as const;

let lastPort = 30_000;

/** Every kind of stray, each from a port that nobody uses and from that of a live connection. */
function sendStrays({ netns, from, to, tcp }: Path): void {
  const raw = new NetnsSocket({ netns, kind: "raw", to, port: SERVER_PORT });
  const ends = { from, to, port: SERVER_PORT };
  for (const flags of Object.values(STRAYS)) {
    const data = (flags & TCP.psh) === 0 ? Buffer.alloc(0) : Buffer.from("out of the blue");
    for (const sourcePort of [lastPort++, tcp.socket.port]) {
      const random = Math.floor(Math.random() * 2 ** 32);
      const numbers = { sequence: random, acknowledge: random ^ 0x5555_5555 };
      raw.send(tcpPacket({ ...ends, sourcePort, flags, data, ...numbers }));
    }
  }
  const answer = { from: to, to: from, sourcePort: SERVER_PORT };
  const about = [
    udpPacket({ ...answer, port: lastPort++ }),
    tcpPacket({ ...answer, port: tcp.socket.port, flags: TCP.ack }),
  ];
  for (const data of about) raw.send(icmpPacket({ from, to, type: "unreachable", data }));
  raw.send(icmpPacket({ from, to, type: "echoReply", identifier: 7 }));
  raw.close();
}

/** Answers that die on their way: after one hop at the gateway, after two behind it. */
function sendDyingAnswers({ place }: Lab, { to: server, udp, tcp }: Path, hops: number): void {
  const to = udp.egress;
  const raw = new NetnsSocket({ netns: place.path(SERVER), kind: "raw", to, port: 0 });
  const ends = { from: server, to, sourcePort: SERVER_PORT };
  raw.send(withTtl(udpPacket({ ...ends, port: udp.socket.port }), hops));
  const segment = tcpPacket({ ...ends, port: tcp.socket.port, flags: TCP.ack });
  raw.send(withTtl(segment, hops));
  raw.close();
}

const TIME_EXCEEDED = ["icmp type time-exceeded", "icmpv6 type time-exceeded"] as const;

/** Makes the server count reports, by family, from now on; gives how many it got. */
async function countReports(lab: Lab): Promise<() => Promise<number[]>> {
  const rules = TIME_EXCEEDED.map((rule) => `add rule inet reports in ${rule} counter\n`);
  await shellOn(
    lab,
    SERVER,
    `nft -f - <<'END'
add table inet reports
delete table inet reports
add table inet reports
add chain inet reports in { type filter hook input priority 0 ; }
${rules.join("")}
END`,
  );
  return async () => {
    const text = await shellOn(lab, SERVER, "nft list table inet reports");
    return [...text.matchAll(/counter packets (\d+)/g)].map(([, packets]) => Number(packets));
  };
}

/** New flows, by every protocol, and more of those that there are. */
function sendOrdinary({ netns, from, to, tcp, udp }: Path): void {
  const raw = new NetnsSocket({ netns, kind: "raw", to, port: SERVER_PORT });
  const ends = { from, to, port: SERVER_PORT };
  raw.send(udpPacket({ ...ends, sourcePort: lastPort++ }));
  raw.send(tcpPacket({ ...ends, sourcePort: lastPort++, flags: TCP.syn }));
  raw.send(icmpPacket({ from, to, type: "echo", identifier: lastPort++ }));
  raw.close();
  for (const { socket } of [tcp, udp]) socket.send(Buffer.from("more"));
}

/**
 * What nftables looks up, with the reasons of the drops where it is not there. None: packets go on
 * as they are (offer), only answers need it (keep), or the CNI's masquerade happens to take another
 * egress IP of the gateway's (snat6).
 */
const LOOKED_UP: Readonly<Record<string, readonly string[]>> = {
  offer: [],
  begin: ["UnknownGateway", "NoEgressIP"],
  keep: [],
  snat4: ["Untranslated"],
  snat6: [],
  egress4: ["Untranslated"],
  egress6: ["Untranslated"],
};

/** Every node's table without the elements of a set or map, for as long as `work` takes. */
async function without(lab: Lab, set: string, work: () => Promise<void>): Promise<void> {
  const kind = set.startsWith("egress") ? "set" : "map";
  const tables = await Promise.all(
    NODES.map((node) => shellOn(lab, node, "nft list table inet sluice")),
  );
  await onNodes(lab, `nft flush ${kind} inet sluice ${set}`);
  await work();
  const restore = (table: string) => `nft -f - <<'END'\ndelete table inet sluice\n${table}\nEND`;
  await Promise.all(NODES.map((node, i) => shellOn(lab, node, restore(tables[i] as string))));
}

async function onNodes(lab: Lab, script: string): Promise<void> {
  await Promise.all(NODES.map((node) => shellOn(lab, node, script)));
}

test("what belongs to no flow leaves translated or not at all [8.8]", { skip }, async (t) => {
  const lab = await bringLabUp(t, { pods: 3 });
  await applyPolicies(lab.place, "demo/policy.yaml");
  await assertFits(lab);
  const paths = await openPaths(t, lab);
  const strays = () => paths.forEach(sendStrays);
  const all = () => [...paths.map(sendOrdinary), ...paths.map(sendStrays)];

  await t.test("strays, whether or not connections are picked up", async () => {
    assert.deepEqual(await seenDuring(lab, strays), NO_LEAKS);
    await onNodes(lab, "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0");
    assert.deepEqual(await seenDuring(lab, strays), NO_LEAKS);
    await onNodes(lab, "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1");
  });

  // A node behind the gateway reports in the pod's name, and the gateway translates it.
  await t.test("reports about answers that cannot be delivered", async () => {
    const behind = paths.filter(({ node }) => node === "worker-1");
    for (const hops of [1, 2]) {
      const seen = await countReports(lab);
      const dying = () => behind.forEach((path) => sendDyingAnswers(lab, path, hops));
      assert.deepEqual(await seenDuring(lab, dying), NO_LEAKS);
      const reports = await seen();
      assert.ok(reports.every((packets) => packets > 0), `after ${hops}: ${reports.join(", ")}`);
    }
  });

  await t.test("an element is deleted below an agent that runs", async () => {
    const work = async () => {
      await onNodes(lab, "nft flush map inet sluice snat4");
      all();
    };
    assert.deepEqual(await seenDuring(lab, work), NO_LEAKS);
    await assertFits(lab);
  });

  await killAgents(lab, NODES);
  for (const [set, reasons] of Object.entries(LOOKED_UP)) {
    await t.test(`elements of ${set} are deleted`, async () => {
      await without(lab, set, async () => {
        let seen: Seen | undefined;
        const dropped = await countedDuring(lab, { nodes: NODES, reasons }, async () => {
          seen = await seenDuring(lab, () => void all());
        });
        assert.deepEqual(seen, NO_LEAKS);
        assert.ok(dropped > 0 || reasons.length === 0, "something was missed");
      });
    });
  }

  await t.test("the control: without the guards they leave", async () => {
    await without(lab, "snat4", async () => {
      for (const chain of ["drop_Invalid", "guard_leaving"]) {
        await onNodes(lab, `nft flush chain inet sluice ${chain}`);
      }
      const { leaks } = await seenDuring(lab, () => void all());
      const pods = paths.map(({ from }) => from);
      const nodes = ["198.51.100.201", "198.51.100.202"];
      for (const some of [pods, nodes]) {
        assert.ok(leaks.some(({ address }) => some.includes(address)), JSON.stringify(leaks));
      }
    });
  });

  await startAgents(lab, NODES);
  await assertFits(lab);
});
