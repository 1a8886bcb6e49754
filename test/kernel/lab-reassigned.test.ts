// Reassignments under traffic: the plan moves the pods of long-lived flows to other gateways, again
// and again. The flows stay where they began and lose no byte; new ones follow each time.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Expectation } from "../../src/apps/lab/expectation.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { podObject } from "../../src/apps/lab/objects.ts";
import { sized } from "../support/soak.ts";
import type { FlowLab, Gateway } from "./flow-lab.ts";
import { assertWhole, brokenOf, raiseLab } from "./flow-lab.ts";
import { missingForAgents } from "./live-lab.ts";

const skip = missingForAgents() ?? false;
/** Each one moves every pod, and with it all of its flows. */
const CHANGES = sized(12, 100);
const TALK_MS = 200;

const ONE: readonly Gateway[] = [["gateway-1", 0], ["gateway-2", 0], ["gateway-3", 0]];
const OTHER: readonly Gateway[] = [["gateway-1", 1], ["gateway-2", 1], ["gateway-3", 1]];

/** `before` endpoints come before all others: each shifts every rank by one (rule 5.7). */
interface Stage {
  readonly gateways: readonly Gateway[];
  readonly before: number;
}

/** From each stage to the next, and from the last to the first, every pod's node changes. */
const STAGES: readonly Stage[] = [
  { gateways: ONE, before: 0 },
  { gateways: ONE, before: 1 },
  { gateways: OTHER, before: 2 },
  { gateways: OTHER, before: 0 },
  { gateways: ONE, before: 1 },
  { gateways: OTHER, before: 2 },
];

class Plan {
  readonly #lab: FlowLab;
  readonly #known = new Map<Stage, readonly Expectation[]>();
  #changes = -1;
  #now: readonly Expectation[] = [];

  constructor(lab: FlowLab) {
    this.#lab = lab;
  }

  /** Changes the plan, and waits until the new flows of all pods follow; how many there were. */
  async change(): Promise<number> {
    const stage = STAGES[++this.#changes % STAGES.length] as Stage;
    await this.#lab.applyPolicy(stage.gateways);
    for (const i of [1, 2]) await this.#makeEarly(i, i <= stage.before);
    const next = this.#known.get(stage) ?? (await this.#lab.expected());
    this.#known.set(stage, next);
    for (const [i, { addresses, pod }] of this.#now.entries()) {
      assert.notDeepEqual(next[i]?.addresses, addresses, `${pod} is reassigned`);
    }
    this.#now = next;
    return this.#lab.settle(next);
  }

  /** A pod of no node here, whose address is lower than that of any other. */
  async #makeEarly(i: number, wanted: boolean): Promise<void> {
    const name = `early-${i}`;
    const objects = await objectsOf(this.#lab.place);
    if (!wanted) await objects.remove("Pod", name);
    else if ((await objects.get("Pod", name)) === undefined) {
      const addresses = [`10.244.1.${i}`];
      await objects.put(podObject({ name, node: "elsewhere", addresses }));
    }
  }
}

test("flows of pods that are reassigned stay, new ones follow each time [5.7, 8.5]", {
  skip,
}, async (t) => {
  const lab = await raiseLab({ workers: 2, gateways: 3, pods: 10 });
  t.after(() => lab.end());
  const plan = new Plan(lab);
  await plan.change();
  const [server] = lab.topology.server;
  const extra = lab.flows(lab.pods, { label: "extra", protocols: ["TCP"] });
  const flows = [...lab.flows(lab.pods), ...extra.filter((flow) => flow.server === server)];
  assert.equal(flows.length, 50);
  const moved = async () => (await lab.sources(flows)).filter((seen) => seen.length !== 1);

  await lab.watch(lab.egressIPs([...ONE, ...OTHER]), async () => {
    assertWhole(await lab.open(flows));
    await lab.talk(flows, TALK_MS);
    const began = performance.now();
    let opened = 0;
    for (let i = 0; i < CHANGES; i++) opened += await plan.change();
    const seconds = (performance.now() - began) / 1000;
    const reports = await lab.hush();
    assertWhole(reports);
    assert.deepEqual(await moved(), []);
    const records = reports.reduce((sum, { sent }) => sum + sent, 0);
    t.diagnostic(`${CHANGES} changes in ${seconds.toFixed()} s, ${CHANGES * lab.pods.length} ` +
      `reassignments, ${records} records in ${flows.length} flows, ${opened} new flows`);
    // The control: flows that connection tracking forgets are not kept.
    await plan.change();
    await lab.inNodes("conntrack -F 2>/dev/null");
    const broken = brokenOf(await lab.ask(flows, { withinMs: 3000 }));
    const ofTcp = broken.filter(({ name }) => name.includes("TCP")).length;
    const ofUdp = (await moved()).length;
    assert.ok(ofTcp > 0 && ofUdp > 0, `${ofTcp} broke, ${ofUdp} moved`);
  });
});
