// What the engine costs: cold start and single changes, on generated clusters or one of your own.
//
//   npm run --silent bench:engine -- [--cluster FILE] [--json] [--sizes 1000,10000,100000]
//
// One line per cluster. parseMs: text to parsed objects; coldMs: parsed objects to every row
// (--rows all) in hand; changes: one endpoint removed and added again, rows derived; heapMB: model
// and engine after collection; workerColdMs: the same for a worker's own rows; roundRobinFirst: an
// endpoint appears before all others of its policies; referenceRatio: the naive reference's time,
// in the same run, by coldMs.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Engine } from "../src/engine/engine.ts";
import { reference } from "../src/engine/reference.ts";
import { Cluster } from "../src/model/cluster.ts";
import type { ObjectChange, Pod } from "../src/model/objects.ts";
import { DISTRIBUTIONS, type Distribution } from "../src/model/policy.ts";
import { parseAddress } from "../src/net/address.ts";
import type { RowsMode } from "../src/plan/row.ts";
import { readInput } from "../src/sources/files.ts";
import { yardstick } from "./yardstick.ts";

const COLD_ROUNDS = 7;
const CHANGES = 2000;
const WARM_UP = 500;
const FIRST_ROUNDS = 60;
/** The reference is quadratic; beyond this it takes minutes. */
const REFERENCE_ENDPOINTS_MAX = 1000;

const { values } = parseArgs({
  options: {
    cluster: { type: "string" },
    json: { type: "boolean", default: false },
    sizes: { type: "string", default: "1000,10000,100000" },
  },
});

const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  if (values.cluster !== undefined) {
    print(await measure(values.cluster));
  } else {
    for (const size of values.sizes.split(",").map(Number)) {
      const file = join(directory, `${size}.json`);
      const lines = [...yardstick(size)].map((object) => JSON.stringify(object));
      writeFileSync(file, `{"kind":"List","apiVersion":"v1","items":[\n${lines.join(",\n")}\n]}\n`);
      print(await measure(file));
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}

async function measure(file: string) {
  const parsing = performance.now();
  const { changes } = await readInput([file]);
  const parseMs = performance.now() - parsing;
  const cold = timeCold(changes, "round-robin", "all");
  const worker = DISTRIBUTIONS.map(
    (name) => [name, round(timeCold(changes, name, "needed").medianMs)] as const,
  );
  const { cluster, engine, heapMB } = hold(changes);
  return {
    endpoints: engine.table.size,
    policies: engine.policies().length,
    rows: cold.rows,
    parseMs: round(parseMs),
    coldMs: round(cold.medianMs),
    changes: Object.fromEntries(
      DISTRIBUTIONS.map((name) => [name, timeChanges(cluster, changes, name)]),
    ),
    heapMB: round(heapMB),
    workerColdMs: Object.fromEntries(worker),
    roundRobinFirst: timeFirst(cluster, changes),
    referenceRatio: compareWithReference(cluster, cold.medianMs),
  };
}

function start(changes: readonly ObjectChange[], distribution: Distribution, rows: RowsMode) {
  const cluster = new Cluster();
  const engine = new Engine({ distribution, scope: { node: workerOf(changes), rows } });
  engine.step(cluster.apply(changes));
  return { cluster, engine };
}

/** A node that is no gateway in the generated cluster: the node of the last Pod. */
function workerOf(changes: readonly ObjectChange[]): string {
  const pods = changes.filter((change) => change.kind === "Pod");
  return pods.at(-1)?.value?.node ?? "";
}

function timeCold(changes: readonly ObjectChange[], distribution: Distribution, rows: RowsMode) {
  const times: number[] = [];
  let count = 0;
  for (let round = 0; round < COLD_ROUNDS; round++) {
    collectGarbage();
    const begin = performance.now();
    const { engine } = start(changes, distribution, rows);
    count = 0;
    for (const _ of engine.rows()) count++;
    times.push(performance.now() - begin);
  }
  return { medianMs: quantile(times, 0.5), rows: count };
}

function hold(changes: readonly ObjectChange[]) {
  collectGarbage();
  const before = process.memoryUsage();
  const held = start(changes, "round-robin", "all");
  // The step's own differences go with the next step.
  held.engine.step({ policies: [], endpoints: [], nodes: [], states: [] });
  collectGarbage();
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
  return { ...held, heapMB: bytes / 2 ** 20 };
}

/** Removes and adds single endpoints, spread over the cluster. */
function timeChanges(
  cluster: Cluster,
  changes: readonly ObjectChange[],
  distribution: Distribution,
) {
  const engine = warmEngine(cluster, distribution, workerOf(changes));
  const pods = changes.filter((change) => change.kind === "Pod");
  const times: number[] = [];
  for (let i = 0; i < CHANGES + WARM_UP; i++) {
    const pod = pods[Math.imul(i, 7919) % pods.length];
    if (pod === undefined) break;
    for (const change of [{ ...pod, value: undefined }, pod]) {
      const begin = performance.now();
      for (const _ of engine.step(cluster.apply([change])).rows);
      if (i >= WARM_UP) times.push(performance.now() - begin);
    }
  }
  return { medianMs: round(quantile(times, 0.5)), p99Ms: round(quantile(times, 0.99)) };
}

/** Round-robin's worst case: everybody behind the new first endpoint moves. */
function timeFirst(cluster: Cluster, changes: readonly ObjectChange[]) {
  const engine = warmEngine(cluster, "round-robin", workerOf(changes));
  const model = changes.find((change) => change.kind === "Pod");
  const address = parseAddress("1.0.0.1");
  if (model?.value === undefined || address === undefined) return undefined;
  const value = { ...model.value, key: "first" as Pod["key"], addresses: [address] };
  const first = { ...model, key: "first", value };
  const times: number[] = [];
  let moves = 0;
  for (let i = 0; i < FIRST_ROUNDS; i++) {
    const begin = performance.now();
    const step = engine.step(cluster.apply([first]));
    for (const _ of step.rows);
    times.push(performance.now() - begin);
    moves = step.counters.moves;
    engine.step(cluster.apply([{ ...first, value: undefined }]));
  }
  return { moves, medianMs: round(quantile(times, 0.5)), p99Ms: round(quantile(times, 0.99)) };
}

function warmEngine(cluster: Cluster, distribution: Distribution, node: string): Engine {
  const engine = new Engine({ distribution, scope: { node, rows: "needed" } });
  const { policies, endpoints, nodes, states } = cluster.view();
  engine.step({
    policies: entries(policies),
    endpoints: entries(endpoints),
    nodes: entries(nodes),
    states: entries(states),
  });
  return engine;
}

function entries<K, V>(table: ReadonlyMap<K, V>): { key: K; value: V }[] {
  return [...table].map(([key, value]) => ({ key, value }));
}

function compareWithReference(cluster: Cluster, coldMs: number): number | undefined {
  const view = cluster.view();
  if (view.endpoints.size > REFERENCE_ENDPOINTS_MAX) return undefined;
  const begin = performance.now();
  reference(view, { distribution: "round-robin", scope: { node: "", rows: "all" } });
  return round((performance.now() - begin) / coldMs);
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("run with node --expose-gc");
  globalThis.gc();
}

function quantile(times: number[], q: number): number {
  times.sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function print(result: object): void {
  console.log(values.json ? JSON.stringify(result) : result);
}
