// Pods that send before anybody knows them: nothing of it leaves with a node's or a pod's address,
// whether agents run, are dead, or are about to start.

import assert from "node:assert/strict";
import { test } from "node:test";
import { leaksOf, promisedBy } from "../../src/apps/lab/check.ts";
import { expectations } from "../../src/apps/lab/expectation.ts";
import { applyPolicies } from "../../src/apps/lab/policies.ts";
import type { Sniffed } from "../../src/apps/lab/sniffer.ts";
import { Sniffer } from "../../src/apps/lab/sniffer.ts";
import { sized } from "../support/soak.ts";
import { countedDuring } from "./lab-node.ts";
import type { Lab } from "./live-lab.ts";
import { bringLabUp, killAgents, missingForAgents, startAgents } from "./live-lab.ts";
import type { RestlessPod } from "./restless-pods.ts";
import { startPods, untilAnswered } from "./restless-pods.ts";

const skip = missingForAgents() ?? false;
const COUNT = sized(16, 200);
/** A gateway's own pods leave another way than a worker's. */
const NODES = ["worker-1", "worker-2", "gateway-1"];

interface Watched {
  readonly sniffed: Sniffed;
  readonly pods: readonly RestlessPod[];
}

/** Fails if an address was seen outside that is no egress IP, or if nothing was proven. */
async function assertNoLeaks({ place, topology }: Lab, { sniffed, pods }: Watched): Promise<void> {
  const expected = await expectations(place, topology);
  assert.deepEqual(expected.filter(({ kind }) => kind !== "egress"), []);
  const egress = promisedBy(expected);
  assert.deepEqual([leaksOf(sniffed.sources, egress), sniffed.missed], [[], 0]);
  for (const { name, sent, answers } of pods) {
    assert.ok(sent > 0, `${name} sent`);
    for (const seen of answers.values()) assert.ok(egress.has(seen), `${name}: ${seen}`);
  }
}

test(`${COUNT} pods that send at once leak nothing [8.7]`, { skip }, async (t) => {
  const lab = await bringLabUp(t, { workers: 2 });
  await applyPolicies(lab.place, "demo/policy.yaml");
  const watch = async (work: () => Promise<readonly RestlessPod[]>): Promise<Watched> => {
    const { sniffed, value } = await Sniffer.during(lab, work);
    return { sniffed, pods: value };
  };
  const heldDuring = (work: () => Promise<unknown>) =>
    countedDuring(lab, { nodes: NODES, reasons: ["Unclassified"] }, work);

  await t.test("while the agents run", async () => {
    const held = await heldDuring(async () => {
      const watched = await watch(async () => {
        const pods = await startPods(lab, { name: "early", count: COUNT, nodes: NODES });
        await untilAnswered(pods);
        return pods;
      });
      await assertNoLeaks(lab, watched);
    });
    assert.ok(held > 0, "the guard had something to hold");
  });

  await t.test("after they were killed, and while they start", async () => {
    await killAgents(lab, NODES);
    let silent: readonly boolean[] = [];
    const watched = await watch(async () => {
      const dead = await startPods(lab, { name: "orphan", count: COUNT, nodes: NODES });
      silent = dead.map(({ answers }) => answers.size === 0);
      // Half of these are wired before the agents start, half while they do.
      let ready: Promise<void> | undefined;
      const onHalf = () => (ready = startAgents(lab, NODES));
      const born = await startPods(lab, { name: "born", count: COUNT, nodes: NODES, onHalf });
      await ready;
      await untilAnswered([...dead, ...born]);
      return [...dead, ...born];
    });
    await assertNoLeaks(lab, watched);
    assert.deepEqual(silent, Array(COUNT).fill(true), "nobody knew them");
  });

  await t.test("the control: told to allow it, they leak", async () => {
    await killAgents(lab, NODES);
    await startAgents(lab, NODES, ["--unclassified", "allow"]);
    const { sniffed, pods } = await watch(async () => {
      const allowed = await startPods(lab, { name: "allowed", count: 4, nodes: NODES });
      await untilAnswered(allowed);
      return allowed;
    });
    const egress = promisedBy(await expectations(lab.place, lab.topology));
    const leaks = leaksOf(sniffed.sources, egress);
    assert.ok(leaks.some(({ packets }) => packets > 0));
    assert.ok(pods.some(({ answers }) => [...answers.values()].some((seen) => !egress.has(seen))));
  });
});
