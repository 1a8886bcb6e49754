// Under a stream of numbered datagrams through a gateway and back: another release of the agent and
// its programs, and the old one again; a BPF file system that somebody empties. Nothing is lost.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { rmSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { pause } from "../../src/apps/lab/namespaces.ts";
import { labelNode } from "../../src/apps/lab/objects.ts";
import { podMember } from "../../src/apps/lab/place.ts";
import { SERVER } from "../../src/apps/lab/topology.ts";
import { sized } from "../support/soak.ts";
import { differences } from "./kernel-text.ts";
import type { NodeOfLab } from "./lab-nodes.ts";
import { LabNodes, until } from "./lab-nodes.ts";
import { labSkip, makeLab, succeed } from "./make-lab.ts";
import { makeOtherRelease } from "./other-release.ts";

const skip = labSkip();
const PROGRAM = ["--no-deprecation", join(import.meta.dirname, "udp-stream.ts")];
const PORT = 7900;
const PER_SECOND = sized(5_000, 10_000);
const SIZE = ["--workers", "1", "--gateways", "2", "--pods", "1"];

interface StreamReport {
  readonly sent: number;
  readonly answered: number;
  readonly gaps: readonly string[];
  readonly seconds: number;
}

/** Streams from the pod to the server and back during `work`. */
async function streamDuring(nodes: LabNodes, work: () => Promise<void>): Promise<StreamReport> {
  const [server = ""] = nodes.topology.server;
  const start = (member: string, ...words: string[]) => {
    const command = [`--net=${nodes.place.path(member)}`, process.execPath, ...PROGRAM, ...words];
    return spawn("nsenter", command, { stdio: ["pipe", "pipe", "inherit"] });
  };
  const receiver = start(SERVER, "receive", String(PORT), server);
  await firstLine(receiver);
  const pod = podMember("pod-1");
  const sender = start(pod, "send", String(PORT), server, String(PER_SECOND));
  let text = "";
  await firstLine(sender);
  sender.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  try {
    await pause(500);
    await work();
    await pause(500);
  } finally {
    const ended = new Promise((resolve) => sender.once("close", resolve));
    sender.stdin.end();
    await ended;
    receiver.kill();
  }
  return JSON.parse(text) as StreamReport;
}

function firstLine({ stdout }: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => stdout?.once("data", resolve));
}

function assertWhole({ gaps, sent, answered, seconds }: StreamReport): void {
  assert.deepEqual(gaps, []);
  assert.equal(answered, sent);
  assert.ok(sent > 1000, `${sent} in ${seconds} s`);
}

/** Tags of the programs that hang at the tunnel. */
function tagsAt(node: NodeOfLab): string[] {
  const shown = node.shell("tc filter show dev sluice0 ingress; tc filter show dev sluice0 egress");
  return [...shown.matchAll(/tag ([0-9a-f]+)/g)].map(([, tag = ""]) => tag);
}

/** A lab whose pod leaves through a gateway. */
function raise(t: TestContext) {
  const { name, lab } = makeLab(t);
  succeed(lab("up", ...SIZE));
  succeed(lab("policy", "apply", "demo/policy.yaml"));
  succeed(lab("check"));
  return { name, lab, nodes: new LabNodes(name) };
}

test("an upgrade and its rollback lose no packet, on worker and gateway [8.5]", {
  skip,
}, async (t) => {
  const other = makeOtherRelease(t);
  const { name, lab, nodes } = raise(t);
  const before = await Promise.all(nodes.all.map((node) => node.kernel()));
  const tags = nodes.all.map(tagsAt);
  const upgrade = async (node: NodeOfLab) => {
    await node.end("SIGTERM");
    const words = ["lab", "--name", name, "agent", "start", node.name];
    const { status, stderr } = spawnSync(process.execPath, [other, ...words], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  const rollback = async (node: NodeOfLab) => {
    await node.end("SIGTERM");
    node.start();
    await node.ready();
  };
  assertWhole(
    await streamDuring(nodes, async () => {
      for (const node of nodes.all) await upgrade(node);
    }),
  );
  for (const [i, node] of nodes.all.entries()) assert.notDeepEqual(tagsAt(node), tags[i]);
  succeed(lab("check"));
  assertWhole(
    await streamDuring(nodes, async () => {
      for (const node of nodes.all) await rollback(node);
    }),
  );
  for (const [i, node] of nodes.all.entries()) {
    assert.deepEqual(tagsAt(node), tags[i]);
    assert.deepEqual(differences(before[i] ?? {}, await node.kernel()), []);
  }
  // The control: taken away and put there again, instead of swapped.
  const control = await streamDuring(nodes, async () => {
    for (const node of nodes.all) {
      await node.end("SIGTERM");
      node.shell("tc filter del dev sluice0 ingress; tc filter del dev sluice0 egress");
      node.start();
      await node.ready();
    }
  });
  assert.ok(control.gaps.length > 0);
});

/** Empties a node's BPF file system, as far as it can be. */
function emptyBpffs({ bpf }: NodeOfLab): void {
  for (const name of readdirSync(bpf).filter((one) => !one.endsWith(".debug"))) {
    rmSync(join(bpf, name), { recursive: true });
  }
}

/** Packets that a node has counted since its counters were made. */
async function counted(node: NodeOfLab): Promise<number> {
  return Object.values(await node.counters()).reduce((sum, packets) => sum + packets, 0);
}

test("a datapath goes on without its pins; the next agent finds it and changes it [7.8]", {
  skip,
}, async (t) => {
  const { lab, nodes } = raise(t);
  const before = await Promise.all(nodes.all.map((node) => node.kernel()));
  const packets: number[] = [];
  assertWhole(
    await streamDuring(nodes, async () => {
      for (const node of nodes.all) {
        packets.push(await counted(node));
        await node.end();
        emptyBpffs(node);
        assert.deepEqual(readdirSync(node.bpf).filter((name) => !name.endsWith(".debug")), []);
      }
      await pause(500);
      await nodes.allReady();
    }),
  );
  for (const [i, node] of nodes.all.entries()) {
    assert.deepEqual(differences(before[i] ?? {}, await node.kernel()), []);
    assert.ok((await counted(node)) >= (packets[i] ?? NaN), "it goes on counting");
  }
  labelNode(nodes.place, "gateway-1", "egress-");
  succeed(lab("check"));
  // The gateway that left keeps rows for a while (8.6).
  for (const node of nodes.all.filter(({ name }) => name !== "gateway-1")) {
    assert.deepEqual(node.rows(), node.plannedRows());
  }

  // A running agent pins again what it has.
  const [worker] = nodes.all as [NodeOfLab];
  const standing = await worker.kernel();
  emptyBpffs(worker);
  labelNode(nodes.place, "gateway-1", "egress=yes");
  await until("the pins", () => readdirSync(worker.bpf).includes("tc"));
  succeed(lab("check"));
  assert.deepEqual(Object.keys(await worker.kernel()), Object.keys(standing));

  // The control: with programs that nothing leads to, everything begins anew.
  const [, gateway] = nodes.all as [NodeOfLab, NodeOfLab];
  await gateway.end();
  emptyBpffs(gateway);
  gateway.shell("tc filter del dev sluice0 ingress; tc filter del dev sluice0 egress");
  gateway.start();
  await gateway.ready();
  assert.ok((await counted(gateway)) < (packets[1] ?? NaN));
});
