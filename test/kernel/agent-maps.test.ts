// `sluice agent --datapath none` as a process: a watched directory on one side, the kernel's policy
// maps on the other.

import assert from "node:assert/strict";
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { ROOT, temporaryFolder } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { MapsAgent, plannedRows, same } from "./maps-agent.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns } from "./private-netns.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? false;
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(`sluice agent --datapath none ${title}`, { skip }, body);

const GATEWAY = "gateway-1";
/** Rows of its own pods go at once; a gateway keeps rows of others for a while (8.6). */
const WORKER = "worker-2";

/** The example cluster in a folder of its own, and an agent for one of its nodes. */
class Node extends MapsAgent {
  readonly source: string;

  readonly name: string;

  constructor(t: TestContext, name = GATEWAY) {
    const source = join(temporaryFolder(t), "cluster");
    super(t, { bpffs: bpffs.directory, node: name, source: ["--source", source] });
    this.name = name;
    this.source = source;
    cpSync(join(ROOT, "examples/cluster"), this.source, { recursive: true });
    cpSync(join(ROOT, "examples/policy.yaml"), join(this.source, "policy.yaml"));
  }
}

/** What the plan says this node's maps should hold. */
function planned(node: Node, ...options: string[]): string[] {
  return plannedRows(node.name, "-f", node.source, ...options);
}

kernelTest("writes what the plan says, and follows the directory [7.6, 7.8]", async (t) => {
  const node = new Node(t);
  node.start();
  const before = planned(node);
  assert.ok(before.length > 4, "the example gives this node rows");
  await node.until("the first rows", same(before));

  const pods = join(node.source, "pods-billing.yaml");
  const text = readFileSync(pods, "utf8");
  const [one = ""] = text.split("\n---\n");
  writeFileSync(`${pods}.part`, one);
  renameSync(`${pods}.part`, pods);
  const after = planned(node);
  assert.ok(after.length < before.length, "fewer pods, fewer rows");
  await node.until("the rows of fewer pods", same(after));

  writeFileSync(pods, text);
  await node.until("the rows of before", same(before));
  const first = ` rows written="${before.length}" deleted="0" policies="partner"\n`;
  const says = (...texts: (string | RegExp)[]) => texts.every((text) => node.log.match(text));
  await until(() => says(first, / deleted="[1-9]\d*"\n/), { shown: () => node.log });
  assert.doesNotMatch(node.log, / repaired /);
});

kernelTest("puts back what somebody else removes, and says so", async (t) => {
  const node = new Node(t);
  node.start();
  const wanted = planned(node);
  await node.until("the first rows", same(wanted));
  const map = BpfMap.open(join(node.maps, MAP_LAYOUTS.v4_v2.name), "write");
  await map.delete((await map.dump()).keys);
  map.close();
  assert.notDeepEqual(node.rows(), wanted);
  // It looks every half minute.
  await node.until("the rows again", same(wanted));
  await until(() => / repaired rows="[1-9]/.test(node.log), { shown: () => node.log });
});

kernelTest("keeps rows while a file is half written, and when it is ended", async (t) => {
  const node = new Node(t);
  node.start();
  const wanted = planned(node);
  await node.until("the first rows", same(wanted));
  writeFileSync(join(node.source, "policy.yaml"), "apiVersion: cilium.io/v2\nkind: [Cili");
  await sleep(500);
  assert.deepEqual(node.rows(), wanted);
  assert.equal(await node.end("SIGTERM"), 0);
  assert.deepEqual(node.rows(), wanted);
});

kernelTest("keeps a refused policy's last accepted rows over a restart [2.3]", async (t) => {
  const node = new Node(t, WORKER);
  node.start();
  const wanted = planned(node);
  await node.until("the first rows", same(wanted));
  assert.equal(await node.end("SIGTERM"), 0);
  const policy = join(node.source, "policy.yaml");
  const text = readFileSync(policy, "utf8");
  writeFileSync(policy, text.replace(/destinationCIDRs: .*/, "destinationCIDRs: [nonsense]"));
  assert.deepEqual(planned(node), [], "offline, a refused policy has no rows");
  node.start();
  // A pod more shows that the new process has been at work.
  const pods = join(node.source, "pods-billing.yaml");
  const [first = ""] = readFileSync(pods, "utf8").split("\n---\n");
  writeFileSync(pods, first);
  const rows = await node.until("the rows of fewer pods", (all) => all.length < wanted.length);
  assert.ok(rows.length > 0 && rows.every((row) => wanted.includes(row)));

  // The control: without what is on disk the rows go.
  await node.end("SIGTERM");
  rmSync(node.state, { recursive: true });
  node.start();
  await node.until("no rows", (all) => all.length === 0);
});

kernelTest("removes a policy that was deleted while it was down [7.8]", async (t) => {
  const node = new Node(t, WORKER);
  node.start();
  await node.until("the first rows", same(planned(node)));
  await node.end("SIGKILL");
  rmSync(join(node.source, "policy.yaml"));
  assert.ok(node.rows().length > 0, "rows stand while nobody looks");
  node.start();
  await node.until("no rows", (all) => all.length === 0);
});

kernelTest("admits whole endpoints where the maps are too small [7.9]", async (t) => {
  const node = new Node(t);
  const all = planned(node);
  const size = ["--map-size", "5"];
  const admitted = planned(node, ...size);
  assert.ok(admitted.length > 0 && admitted.length < all.length);
  node.start(...size);
  await node.until("the rows of those that fit", same(admitted));
});
