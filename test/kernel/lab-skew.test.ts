// Nodes whose views differ by seconds, in either direction: agents are frozen while the plan
// changes. No packet has a wrong address, established flows do not notice, new ones work or are
// dropped, counted, and get through when the view is there.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { labelNode } from "../../src/apps/lab/objects.ts";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { sized } from "../support/soak.ts";
import type { NodeOfLab, Probed } from "./lab-nodes.ts";
import { LabNodes, until } from "./lab-nodes.ts";
import { harmed, trafficDuring } from "./lab-traffic.ts";
import type { RunLab } from "./make-lab.ts";
import { check, labSkip, makeLab, succeed } from "./make-lab.ts";

const skip = labSkip();
/** How much older a view is. */
const SKEW_MS = sized(3_000, 10_000);
const SIZE = ["--workers", "2", "--gateways", "2", "--pods", "4"];

/** Egress IPs of a gateway, of both families. */
const EGRESS = {
  "gateway-1": ["198.51.100.31", "2001:db8:100::31"],
  "gateway-2": ["198.51.100.41", "2001:db8:100::41"],
} as const;

/** Every connection left with an address of this gateway. */
function assertBy(gateway: keyof typeof EGRESS, probed: readonly Probed[]): void {
  const seen = probed.map(({ address }) => address);
  const wanted = probed.map(({ server }) => EGRESS[gateway][server.includes(":") ? 1 : 0]);
  assert.deepEqual(seen, wanted);
}

async function droppedWithoutRow(node: NodeOfLab): Promise<number> {
  return (await node.counters())["NoRowAtGateway"] ?? NaN;
}

/** Pods on two workers, half of them by each gateway. */
function raise(lab: RunLab): void {
  succeed(lab("up", "--ipv6", ...SIZE));
  succeed(lab("policy", "apply", "demo/policy.yaml"));
  succeed(lab("check"));
}

test("a gateway leaves while a worker's view is old: it serves what still comes [8.5, 8.6]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  raise(lab);
  const nodes = new LabNodes(name);
  const [old, left] = [nodes.node("worker-1"), nodes.node("gateway-2")];
  // pod-3 runs on worker-1 and uses gateway-2.
  assertBy("gateway-2", await nodes.probe("pod-3"));
  const report = await trafficDuring(name, async () => {
    old.freeze();
    labelNode(nodes.place, "gateway-2", "egress-");
    await until("the view of the others", async () => {
      return (await nodes.probe("pod-4"))[0]?.address === EGRESS["gateway-1"][0];
    });
    await sleep(SKEW_MS);
    assertBy("gateway-2", await nodes.probe("pod-3"));
    // Its agent dies and comes back: it goes on serving.
    await left.end();
    left.start();
    await left.ready();
    assertBy("gateway-2", await nodes.probe("pod-3"));
    assert.equal(await droppedWithoutRow(left), 0);

    // The control: without the rows that it keeps, such flows find nothing.
    left.freeze();
    await emptyPolicyMap(left);
    const lost = (await nodes.probe("pod-3", 1500)).filter(isIPv4);
    assert.deepEqual(lost.map(({ address }) => address), [null, null]);
    left.thaw();
    assert.ok((await droppedWithoutRow(left)) > 0);
    old.thaw();
    await until("the view of the others", async () => {
      return (await nodes.probe("pod-3"))[0]?.address === EGRESS["gateway-1"][0];
    });
  });
  assert.deepEqual(harmed(report), []);
  assert.deepEqual([report.leaks, report.sniffer.missed], [[], 0]);
  succeed(lab("check"));
});

function isIPv4({ server }: Probed): boolean {
  return !server.includes(":");
}

/** As if nobody had kept a row of IPv4. */
async function emptyPolicyMap({ bpf }: NodeOfLab): Promise<void> {
  const map = BpfMap.open(`${bpf}/tc/globals/${MAP_LAYOUTS.v4_v2.name}`, "write");
  const { keys, count } = await map.dump();
  assert.ok(count > 0);
  await map.delete(keys);
  map.close();
}

test("a gateway's view is old: what it does not know waits, the rest goes on [8.6, 8.7]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  raise(lab);
  const nodes = new LabNodes(name);
  const report = await trafficDuring(name, async () => {
    for (const gateway of nodes.gateways) gateway.freeze();
    // In front of all others: every assignment changes, and the gateways do not hear of it.
    succeed(lab("pod", "add", "late", "worker-1"));
    const begun = nodes.probe("late");
    await until("packets that no row covers", () => {
      return nodes.gateways.some((node) => nftCount(node, "NoRowAtGateway") > 0);
    });
    // Pods that they know are served, whichever of them is asked (7.7).
    for (const { address } of await nodes.probe("pod-1")) assert.notEqual(address, null);
    await sleep(SKEW_MS);
    for (const gateway of nodes.gateways) gateway.thaw();
    const late = await begun;
    assert.ok(late.every(({ address }) => address !== null), "TCP tries again and gets through");
  });
  assert.deepEqual(harmed(report), []);
  assert.deepEqual([report.leaks, report.sniffer.missed], [[], 0]);
  succeed(lab("check"));

  // The control: without these rules the next pod would leave with a gateway's own address.
  for (const gateway of nodes.gateways) {
    gateway.freeze();
    for (const chain of ["begun", "guard_leaving"]) {
      gateway.shell(`nft flush chain inet sluice ${chain}`);
    }
  }
  succeed(lab("pod", "add", "later", "worker-1"));
  const leaked = check(lab, "--once").leaks.map(({ address }) => address);
  assert.ok(leaked.some((address) => /^198\.51\.100\.20[12]$/.test(address)), leaked.join());
  for (const gateway of nodes.gateways) gateway.thaw();
  succeed(lab("check"));
});

/** Asked of the kernel: the agent is frozen. */
function nftCount(node: NodeOfLab, reason: string): number {
  const text = node.shell(`nft list counter inet sluice ${reason}`);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}
