// A lab that the test's own process makes and works on, without a command line between, so that
// pods, agents and packets come as fast and in the order that a test wants.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Leak } from "../../src/apps/lab/check.ts";
import { check, leaksOf, promisedBy } from "../../src/apps/lab/check.ts";
import { tearDown } from "../../src/apps/lab/down.ts";
import { expectations } from "../../src/apps/lab/expectation.ts";
import { LabPlace } from "../../src/apps/lab/place.ts";
import { agentRuns, startAgent, waitForAgent } from "../../src/apps/lab/processes.ts";
import { Sniffer } from "../../src/apps/lab/sniffer.ts";
import type { LabOptions, Topology } from "../../src/apps/lab/topology.ts";
import { planTopology } from "../../src/apps/lab/topology.ts";
import { bringUp } from "../../src/apps/lab/up.ts";
import { ROOT } from "../support/run-cli.ts";
import { missingForLab } from "./make-lab.ts";

export interface Lab {
  readonly place: LabPlace;
  readonly topology: Topology;
}

/** Why no lab with agents can be made here; undefined: one can. */
export function missingForAgents(): string | undefined {
  const built = existsSync(join(ROOT, "dist/sluice.bpf.o"));
  return missingForLab() ?? (built ? undefined : "not built: run make build for the programs");
}

let labs = 0;

/** Brings a lab up; it is gone after the test. */
export async function bringLabUp(t: TestContext, options: Partial<LabOptions> = {}): Promise<Lab> {
  const name = `l${process.pid}-${++labs}`;
  const counts = { workers: 1, gateways: 2, pods: 2 };
  const usual = { ...counts, ipv6: true, cni: "ptp", agents: true } as const;
  const topology = planTopology({ ...usual, ...options, name });
  const place = new LabPlace(name);
  t.after(() => tearDown(place));
  await bringUp(place, topology, () => undefined);
  return { place, topology };
}

/** Everything leaves as planned, and nobody saw another address; agents may need their time. */
export async function assertFits({ place, topology }: Lab): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  let result = await check(place, topology, { once: false });
  while (!result.fits && performance.now() < deadline) {
    result = await check(place, topology, { once: false });
  }
  const { paths, leaks, missed } = result;
  const wrong = paths.filter(({ findings }) => findings.some(({ fits }) => !fits));
  assert.deepEqual({ wrong, leaks, missed }, { wrong: [], leaks: [], missed: 0 });
  assert.ok(paths.length > 0);
}

export interface Seen {
  /** Addresses that were seen outside and that no plan promised. */
  readonly leaks: readonly Leak[];
  /** Packets that the sniffer missed: more than 0, and nothing is proven. */
  readonly missed: number;
}

export const NO_LEAKS: Seen = { leaks: [], missed: 0 };

/** What is on its way when `work` is done may still come out. */
const STRAGGLERS_MS = 200;

/** What is seen outside during `work` beside the addresses of the plan before it. */
export async function seenDuring(lab: Lab, work: () => Promise<void> | void): Promise<Seen> {
  const promised = promisedBy(await expectations(lab.place, lab.topology));
  const { sniffed } = await Sniffer.during(lab, async () => {
    await work();
    await sleep(STRAGGLERS_MS);
  });
  return { leaks: leaksOf(sniffed.sources, promised), missed: sniffed.missed };
}

/** Ends the agents of these nodes as a crash would; what they programmed stays. */
export async function killAgents({ place }: Lab, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) {
    const pid = agentRuns(place, node);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  }
  await until(() => nodes.every((node) => agentRuns(place, node) === undefined));
}

/** Starts the agents of these nodes and waits for them; `options`: words of their command line. */
export async function startAgents(
  { place }: Lab,
  nodes: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  for (const name of nodes) startAgent(place, { name }, options);
  await Promise.all(nodes.map((name) => waitForAgent(place, { name })));
}

const DEADLINE_MS = 90_000;
const POLL_MS = 50;

/** Waits until it is so; on a machine with other work that may take long. */
export async function until(isSo: () => boolean | Promise<boolean>, what = ""): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `it does not come about: ${what || isSo.toString()}`);
    await sleep(POLL_MS);
  }
}
