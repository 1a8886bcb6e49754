// Packets of unusual forms on a lab with agents: protocols without ports, extension headers, ICMP
// errors of everybody on the way, and what must not pass. Pods stand on a bridge here.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { addToNetwork } from "../../src/apps/lab/cni.ts";
import { podScript } from "../../src/apps/lab/node-script.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { podObject } from "../../src/apps/lab/objects.ts";
import { podMember } from "../../src/apps/lab/place.ts";
import { startAgent, stopAgent, waitForAgent } from "../../src/apps/lab/processes.ts";
import type { LabPod } from "../../src/apps/lab/state.ts";
import { SERVER } from "../../src/apps/lab/topology.ts";
import { runCommand } from "../../src/drivers/kernel/command.ts";
import type { Side } from "./case-cluster.ts";
import { SIDES } from "./case-cluster.ts";
import { ANSWER_S, assertDropped, CaseLab, PORT } from "./case-lab.ts";
import { sameSources, SILENCE_S, SILENT } from "./case-lab.ts";
import { objectMissing } from "./datapath-node.ts";
import { missingForLab } from "./make-lab.ts";
import type { Frame } from "./program-run.ts";
import { sctpInit, sendPackets, udpBytes } from "./raw-packets.ts";

const skip = missingForLab() ?? objectMissing() ?? false;
const lab = new CaseLab({ name: `t${process.pid}-forms`, cni: "bridge" });
before(async () => {
  if (skip === false) await lab.up();
});
after(() => lab.down());

const caseTest = (title: string, body: () => Promise<void>) => test(title, { skip }, body);
const egress = SIDES.map((side) => side.egress[0]);
const [, ipv6] = SIDES as readonly [Side, Side];

type Raw = Pick<Frame, "protocol" | "payload"> & { readonly from?: string };

/** Sends packets from a pod to the covered destination; by default with the pod's own address. */
function send(pod: string, packets: (side: Side) => readonly Raw[]) {
  return lab.inBoth(async (side) => {
    const ends = { from: lab.pod(pod, side), to: side.covered };
    sendPackets(lab.path(`pod:${pod}`), packets(side).map((one) => ({ ...ends, ...one })));
    await lab.settle();
  });
}

const UDP = { protocol: 17, payload: udpBytes(40_000, 9) };

describe("a packet of an unusual form", () => {
  // GRE, and the numbers for experiments.
  const PORTLESS = [47, 253, 254].map((protocol) => ({ protocol, payload: Buffer.alloc(24) }));
  const SCTP = { protocol: 132, payload: sctpInit(40_000, 9) };

  caseTest("of any protocol has the egress IP or is dropped [8.3, 8.8]", async () => {
    const first = await send("client", () => [...PORTLESS, SCTP]);
    assert.deepEqual([first.sources, first.drops], [sameSources(egress), {}]);
    assert.equal(first.packets, 8);
    // Without ports, connection tracking cannot tell the answers to two pods apart: it lets only
    // the first one's flow begin. What has ports gets others.
    const second = await send("second", () => [...PORTLESS, SCTP]);
    assert.deepEqual([second.sources, second.drops], [sameSources(egress), {}]);
    assert.equal(second.packets, 2);
    assert.equal(second.counted("worker-2", "SentRequest"), 8);
  });

  caseTest("with IPv6 extension headers is like any other [8.3]", async () => {
    // The next header is UDP. Padding of 6 bytes; a fragment that is the whole.
    const padding = Buffer.from("1100010400000000", "hex");
    const whole = Buffer.from("1100000012345678", "hex");
    const headers = [[0, padding], [60, padding], [44, whole]] as const;
    const { sources, packets, drops, counted } = await send("client", ({ family }) =>
      headers.flatMap(([protocol, header]) => {
        const payload = Buffer.concat([header, UDP.payload]);
        return family === "IPv4" ? [] : [{ protocol, payload }];
      }),
    );
    assert.deepEqual([sources, packets, drops], [[ipv6.egress[0]], headers.length, {}]);
    assert.equal(counted("gateway-1", "TunnelRequest"), headers.length);
  });
});

/**
 * Datagrams that fit into `mtu` and whose answers do not, since the server puts the address that it
 * sees before them. Whether one came at last, and how long the server then knows it may be.
 */
async function tooLong(
  { family, covered, egress: [seen] }: Side,
  mtu: number,
  seconds = ANSWER_S,
): Promise<[answer: string, mtu: string | undefined]> {
  const bytes = mtu - (family === "IPv4" ? 28 : 48) - 12;
  const script = `exec 3<>/dev/udp/${covered}/${PORT}
    until timeout 0.3 dd bs=9000 count=1 <&3 2>/dev/null | grep -q "x$"
    do printf "%${bytes}s" x >&3; done; echo answered`;
  const answer = await lab.bash("pod:client", script, seconds);
  return [answer, mtuOf(await lab.bash(SERVER, `ip route get ${seen}`, seconds))];
}

/** Pods of worker-1 can take less than the tunnel. */
async function narrowPods(): Promise<void> {
  await lab.inMember("worker-1", "ip link set dev cni0 mtu 1280");
  await lab.inMember("pod:client", "ip link set dev eth0 mtu 1280");
}

/** Else it would put right at once what is taken away for a control. */
async function withoutAgent<T>(name: string, work: () => Promise<T>): Promise<T> {
  await stopAgent(lab.place, name);
  try {
    return await work();
  } finally {
    startAgent(lab.place, lab.nodeNamed(name));
    await waitForAgent(lab.place, lab.nodeNamed(name));
  }
}

function mtuOf(text: string): string | undefined {
  return /mtu ?[=:]? ?(\d+)/.exec(text)?.[1];
}

describe("an ICMP error about policy traffic", () => {
  caseTest("reaches the pod: nobody listens there [8.4]", async () => {
    const script = (to: string) => `exec 3<>/dev/udp/${to}/9
      while echo x >&3; do sleep 0.05; done 2>/dev/null; echo refused`;
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      lab.bash("pod:client", script(side.covered), ANSWER_S),
    );
    assert.deepEqual([value, drops], [["refused", "refused"], {}]);
    assert.deepEqual(sources, sameSources(egress));
    assert.ok(counted("gateway-1", "SentReply") >= 2 && counted("worker-1", "TunnelReply") >= 2);
  });

  for (const [title, to, bytes, mtu] of [
    ["too big for a link far away [8.4]", "narrow", 1372, "1280"],
    ["too big for the tunnel", "covered", 1444, "1450"],
  ] as const) {
    caseTest(`reaches the pod: ${title}`, async () => {
      const { value, drops } = await lab.inBoth((side) =>
        lab.bash("pod:client", `ping -n -c 1 -W 9 -M do -s ${bytes} ${side[to]}`, ANSWER_S),
      );
      assert.deepEqual([value.map(mtuOf), drops], [[mtu, mtu], {}], value.join("\n"));
    });
  }

  for (const [i, from] of ["worker-1", "gateway-1", SERVER].entries()) {
    caseTest(`reaches the pod: too many hops, at ${from} [8.4]`, async () => {
      const { value, drops } = await lab.inBoth((side) =>
        lab.bash("pod:client", `ping -n -c 1 -W 9 -t ${i + 1} ${side.narrow}`, ANSWER_S),
      );
      for (const text of value) assert.match(text, /Time (to live )?exceeded/);
      assert.deepEqual(drops, {});
    });
  }

  caseTest("of the gateway tells the server: too long an answer [8.4]", async () => {
    const { value, sources, drops } = await lab.inBoth((side) => tooLong(side, 1450));
    const fits = ["answered", "1450"];
    assert.deepEqual([value, sources, drops], [[fits, fits], sameSources(egress), {}]);
  });

  caseTest("of the pod's node tells the server, with the egress IP [8.4, 8.8]", async () => {
    await narrowPods();
    // The control: without the chain that sends it by the tunnel, the server sees the node, knows
    // nothing of such a packet, and goes on as before.
    const { value: leaked, sniffed } = await withoutAgent("worker-1", async () => {
      await lab.inMember("worker-1", "nft flush chain inet sluice decide_error");
      return lab.sniff(() => Promise.all(SIDES.map((side) => tooLong(side, 1280, 2))));
    });
    assert.deepEqual(leaked.map(([answer]) => answer), ["", ""]);
    const nodes = SIDES.map((side) => side.worker);
    assert.deepEqual(sameSources([...sniffed.sources.keys()]), sameSources([...egress, ...nodes]));
    const { value, sources, drops } = await lab.inBoth((side) => tooLong(side, 1280));
    const fits = ["answered", "1280"];
    assert.deepEqual([value, sources, drops], [[fits, fits], sameSources(egress), {}]);
  });

  caseTest("of a pod leaves with the egress IP [8.8]", async () => {
    // The server's answers come to a port on which nobody in the pod listens.
    const packets = [{ protocol: 17, payload: udpBytes(40_003, PORT) }];
    const { sources, drops, counted } = await send("client", ({ family }) => {
      // A server takes no datagram without a checksum by IPv6.
      return family === "IPv4" ? packets : [];
    });
    assert.deepEqual([sources, drops], [[egress[0]], {}]);
    assert.equal(counted("worker-1", "SentRequest"), 2);
  });
});

/** Wires a pod of worker-1 of which the cluster knows nothing; gives what it would say of it. */
async function wireSilently(pod: string): Promise<LabPod> {
  const { place, topology } = lab;
  await runCommand("ip", ["netns", "add", place.namespace(podMember(pod))]);
  await lab.inMember(`pod:${pod}`, podScript());
  const node = lab.nodeNamed("worker-1");
  const addresses = await addToNetwork({ place, topology, node, pod });
  return { name: pod, node: node.name, addresses };
}

describe("what must not pass", () => {
  caseTest("a pod that nobody knows waits, and then does not [8.7]", async () => {
    const late = await wireSilently("late");
    // To its neighbours on the bridge it may speak at once, by IPv6 too.
    for (const side of SIDES) {
      assert.notEqual(await lab.udpAnswer("pod:late", lab.pod("near", side)), "");
    }
    const held = await lab.inBoth((side) => lab.reach("pod:late", side.covered, SILENCE_S));
    assert.deepEqual([held.value, held.sources], [[SILENT, SILENT], []]);
    assertDropped(held, "worker-1 Unclassified", 6);
    await (await objectsOf(lab.place)).put(podObject(late));
    for (const { covered, egress: [wanted] } of SIDES) {
      const script = `until exec 3<>/dev/tcp/${covered}/${PORT}; do :; done; read -r _ a _ <&3`;
      assert.equal(await lab.bash("pod:late", `${script}; echo $a`, ANSWER_S), wanted);
    }
  });

  caseTest("a segment of no connection is invalid [8.8]", async () => {
    const reset = Buffer.alloc(20);
    reset.writeUInt16BE(40_001, 0);
    reset.writeUInt16BE(PORT, 2);
    reset.writeUInt16BE(0x5004, 12);
    // With rows or without: no masquerade would translate it.
    for (const pod of ["client", "near"]) {
      const { sources, drops } = await send(pod, () => [{ protocol: 6, payload: reset }]);
      assert.deepEqual([sources, drops], [[], { "worker-1 Invalid": 2 }]);
    }
    assert.deepEqual((await send("client", () => [UDP])).sources, sameSources(egress));
  });

  caseTest("nobody sends with the address of another, nor with an egress IP [8.9]", async () => {
    const { sources, drops } = await send("client", (side) =>
      ["near", "second"].map((name) => ({ ...UDP, from: lab.pod(name, side) })),
    );
    assert.deepEqual([sources, drops], [[], { "worker-1 SpoofedSource": 4 }]);
    const borrowed = await send("own", (side) => [{ ...UDP, from: side.egress[0] }]);
    assert.deepEqual([borrowed.sources, borrowed.drops], [[], { "gateway-1 SpoofedSource": 2 }]);
  });

  caseTest("no pod sends to a tunnel [8.9]", async () => {
    const { drops } = await lab.inBoth((side) => {
      const to = lab.node("worker-2", side);
      return lab.bash("pod:near", `echo x >/dev/udp/${to}/8473; sleep 0.3`, ANSWER_S);
    });
    // Nodes' tunnels have IPv4 addresses.
    assert.deepEqual(drops, { "worker-1 TunnelIntruder": 1, "worker-2 TunnelIntruder": 1 });
  });
});
