// Agents that die: at any moment under load, and after every step of bringing a state to the
// kernel, the first one and later ones. No connection notices, nothing leaves with an address that
// no plan promised, and in the end every node is as if nothing had happened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pause } from "../../src/apps/lab/namespaces.ts";
import { labelNode } from "../../src/apps/lab/objects.ts";
import { SOAK, sized } from "../support/soak.ts";
import type { KernelText } from "./kernel-text.ts";
import { differences } from "./kernel-text.ts";
import type { NodeOfLab } from "./lab-nodes.ts";
import { LabNodes } from "./lab-nodes.ts";
import { broken, harmed, trafficDuring } from "./lab-traffic.ts";
import { labSkip, makeLab, succeed } from "./make-lab.ts";

const POLICY = "demo/policy.yaml";
const skip = labSkip();

/** The steps of a run: see the applier, which begins with `forget`, and Datapath.steps. */
const STEPS = 10;
const KILLS = sized(6, 50);
/** Then it knows what it wrote, and works out differences from that. */
const RUNS_BEFORE = 2;

/** Takes a gateway out of the policy and back, again and again, until `done`. */
async function flap(nodes: LabNodes, done: () => boolean): Promise<void> {
  for (let out = true; !done() || !out; out = !out) {
    labelNode(nodes.place, "gateway-2", out ? "egress-" : "egress=yes");
    await pause(300);
  }
}

/** What these nodes' kernels have is what they had: maps, nftables, rules, routes, filters. */
async function assertAsBefore(
  nodes: readonly NodeOfLab[],
  before: readonly KernelText[],
): Promise<void> {
  for (const [i, node] of nodes.entries()) {
    assert.deepEqual(differences(before[i] ?? {}, await node.kernel()), [], node.name);
  }
}

test("agents killed at any moment, and after every step of a change [7.8, 8.5, 8.6]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  succeed(lab("up", "--ipv6", "--workers", "1", "--gateways", "2", "--pods", "3"));
  succeed(lab("policy", "apply", POLICY));
  const nodes = new LabNodes(name);
  // A gateway that left and came back has been everywhere: from here on numbers are given.
  await flap(nodes, () => true);
  succeed(lab("check"));
  for (const node of nodes.all) await node.end();
  await nodes.allReady();
  const before = await Promise.all(nodes.all.map((node) => node.kernel()));

  let kills = 0;
  const report = await trafficDuring(name, async () => {
    let busy = true;
    const flapping = flap(nodes, () => !busy);
    for (; kills < KILLS; kills++) {
      const node = nodes.all[kills % nodes.all.length] as NodeOfLab;
      // While it loads, checks, adopts, and at work.
      await pause((kills * 337) % 1200);
      await node.end();
      node.start();
    }
    for (let step = 1; step <= STEPS; step++) {
      const chosen = SOAK ? nodes.all : nodes.all.filter((_, i) => i === step % 3);
      await Promise.all(
        chosen.map(async (node) => {
          await node.end();
          node.start({ killAfterStep: RUNS_BEFORE * STEPS + step });
          await node.ended();
          kills++;
        }),
      );
    }
    busy = false;
    await flapping;
    await nodes.allReady();
  });
  assert.deepEqual(harmed(report), []);
  assert.deepEqual([report.leaks, report.sniffer.missed], [[], 0]);
  assert.ok(kills >= KILLS + STEPS);
  succeed(lab("check"));
  for (const node of nodes.all) assert.deepEqual(node.rows(), node.plannedRows(), node.name);
  await assertAsBefore(nodes.all, before);

  // The control: a node that is uninstalled breaks what goes through it.
  const control = await trafficDuring(name, async () => {
    const [gateway] = nodes.gateways;
    await gateway?.end();
    gateway?.uninstall();
    await pause(1000);
  });
  assert.ok(harmed(control).length > 0);
});

test("an agent killed after every step of its first work [7.8, 8.5]", { skip }, async (t) => {
  const { name, lab } = makeLab(t);
  const size = ["--workers", "1", "--gateways", "1", "--pods", "2"];
  succeed(lab("up", "--ipv6", "--no-agents", ...size));
  succeed(lab("policy", "apply", POLICY));
  const nodes = new LabNodes(name);
  await nodes.allReady();
  const before = await Promise.all(nodes.all.map((node) => node.kernel()));
  for (const node of nodes.all) {
    await node.end();
    node.uninstall();
  }
  // These flows are older than any agent, so they keep their nodes' addresses.
  const report = await trafficDuring(name, async () => {
    for (let step = 1; step <= STEPS; step++) {
      const chosen = SOAK ? nodes.all : nodes.all.filter((_, i) => i === step % 2);
      for (const node of chosen) node.start({ killAfterStep: step });
      await Promise.all(chosen.map((node) => node.ended()));
      for (const node of chosen) node.start();
      await Promise.all(chosen.map((node) => node.ready()));
      await assertAsBefore(chosen, chosen.map((node) => before[nodes.all.indexOf(node)] ?? {}));
      if (step === STEPS) break;
      for (const node of chosen) {
        await node.end();
        node.uninstall();
      }
    }
  });
  // A device's first qdisc, and the end of its last, cost what is on the way to it just then: the
  // kernel empties the device's queue (net/sched/sch_api.c, qdisc_graft). TCP sends it again.
  assert.deepEqual(broken(report), []);
  await nodes.allReady();
  succeed(lab("check"));
  for (const node of nodes.all) assert.deepEqual(node.rows(), node.plannedRows(), node.name);
});
