// What writing policy maps costs: ours against a C program with libbpf that writes the same rows in
// the same batches, in the same run, round by round in turn.
//
//   npm run --silent bench:maps -- [--json] [--rows 100000]      (root, gcc, libbpf-dev)
//
// write, read, delete: milliseconds for all rows, median of the rounds. ratio: C's time by ours;
// the goal for writes is 0.9. applyMs: the whole sink, from rows to the kernel: load, encode, diff,
// write; idleMs: the same again, when nothing is to be done.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BpfMap, LPM_TRIE, NO_PREALLOC, RDONLY_PROG } from "../src/drivers/kernel/bpf-map.ts";
import { present } from "../src/lib/assert.ts";
import { parseAddress } from "../src/net/address.ts";
import { parsePrefix } from "../src/net/prefix.ts";
import { encodeRows, MAP_LAYOUTS } from "../src/plan/map-layout.ts";
import type { Row } from "../src/plan/row.ts";
import { openPolicyMaps } from "../src/sinks/policy-maps.ts";
import { mountPrivateBpffs } from "../test/kernel/private-bpffs.ts";

const ROUNDS = 9;
const ROOM = 262_144;
const LAYOUT = MAP_LAYOUTS.v4_v2;
const STAGES = ["write", "read", "delete"] as const;
type Times = Readonly<Record<(typeof STAGES)[number], number>>;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rows: { type: "string", default: "100000" },
  },
});
const count = Number(values.rows);
const bpffs = mountPrivateBpffs();
if (bpffs.skip !== undefined) throw new Error(bpffs.skip);

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  print(await measure());
} finally {
  rmSync(folder, { recursive: true });
}

async function measure() {
  const program = join(folder, "maps");
  const source = new URL("maps.c", import.meta.url).pathname;
  execFileSync("gcc", ["-O2", "-Wall", "-Werror", "-o", program, source, "-lbpf"]);
  const rows = makeRows();
  const c: Times[] = [];
  const ours: Times[] = [];
  const sink: { applyMs: number; idleMs: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    c.push(JSON.parse(execFileSync(program, [String(count)], { encoding: "utf8" })) as Times);
    ours.push(await timeBatches(rows));
    sink.push(await timeSink(rows, join(bpffs.directory, String(round))));
  }
  const stages = STAGES.map((stage) => {
    const cMs = median(c.map((times) => times[stage]));
    const oursMs = median(ours.map((times) => times[stage]));
    return [stage, { cMs: round(cMs), oursMs: round(oursMs), ratio: round(cMs / oursMs) }] as const;
  });
  return {
    rows: count,
    ...Object.fromEntries(stages),
    applyMs: round(median(sink.map(({ applyMs }) => applyMs))),
    idleMs: round(median(sink.map(({ idleMs }) => idleMs))),
  };
}

/** The rows of bench/maps.c. */
function makeRows(): Row[] {
  const address = (text: string) => present(parseAddress(text), text);
  return Array.from({ length: count }, (_, i) => {
    const pod = i >> 1;
    const destination = `203.0.${113 + (i & 1)}.0/24`;
    return {
      source: address(`10.${pod >> 16}.${(pod >> 8) & 255}.${pod & 255}`),
      destination: present(parsePrefix(destination), destination),
      egressIP: address(`192.0.2.${i % 7}`),
      gatewayIP: address(`192.168.1.${i % 7}`),
      ifindex: 3,
      policy: "policy",
    };
  });
}

async function timeBatches(rows: readonly Row[]): Promise<Times> {
  const { keySize, valueSize } = LAYOUT;
  const shape = { type: LPM_TRIE, keySize, valueSize, flags: NO_PREALLOC | RDONLY_PROG };
  const map = BpfMap.create("bench", shape, ROOM);
  const { keys, values } = encodeRows(LAYOUT, rows);
  const begin = performance.now();
  expectAll((await map.update(keys, values)).done);
  const wrote = performance.now();
  expectAll((await map.dump()).count);
  const read = performance.now();
  expectAll((await map.delete(keys)).done);
  const deleted = performance.now();
  map.close();
  return { write: wrote - begin, read: read - wrote, delete: deleted - read };
}

async function timeSink(rows: readonly Row[], directory: string) {
  const maps = openPolicyMaps({ directory, maxEntries: ROOM, legacyV4: false });
  const begin = performance.now();
  expectAll((await maps.apply(rows, { prune: true }))[0]?.written);
  const applied = performance.now();
  expectAll((await maps.apply(rows, { prune: true }))[0]?.unchanged);
  const again = performance.now();
  maps.close();
  rmSync(directory, { recursive: true });
  return { applyMs: applied - begin, idleMs: again - applied };
}

function expectAll(done: number | undefined): void {
  if (done !== count) throw new Error(`${done} of ${count} rows`);
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function print(result: Readonly<Record<string, unknown>>): void {
  if (values.json) console.log(JSON.stringify(result));
  else for (const [key, value] of Object.entries(result)) console.log(key, value);
}
