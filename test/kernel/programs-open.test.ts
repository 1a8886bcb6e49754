// Opening our programs on the running kernel: what they find, what they make, and that nothing is
// changed where something is wrong.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { OperationError } from "../../src/lib/operation-error.ts";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { ABI_DIRECTORY, COUNTERS, DATAPATH_MAPS } from "../../src/reconcile/datapath-maps.ts";
import { PROGRAM_NAMES } from "../../src/sinks/programs.ts";
import { address } from "../support/sample-plan.ts";
import { OBJECT, objectMissing, openNode, sampleDatapath } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { pinForeign } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? objectMissing() ?? false;
const kernelTest = (title: string, body: () => Promise<void>) =>
  test(`programs ${title}`, { skip }, body);
const SYNCED = { prune: true };
const { endpoints, gateways } = DATAPATH_MAPS;

let number = 0;
const folder = () => join(bpffs.directory, `open${++number}`);
const pinned = (directory: string) => readdirSync(join(directory, ABI_DIRECTORY)).sort();

kernelTest("pin their maps and themselves, and take what is pinned", async () => {
  const directory = folder();
  const one = await openNode(directory, { endpointsMax: 100 });
  const maps = [...Object.values(DATAPATH_MAPS), COUNTERS];
  const names = [...maps.map(({ name }) => name), ...Object.values(PROGRAM_NAMES)].sort();
  assert.deepEqual(pinned(directory), names);
  const outcomes = await one.apply(sampleDatapath(7), SYNCED);
  assert.deepEqual(outcomes.map(({ written, error }) => [written, error]), [
    ...[[3], [8], [5], [1], [1], [2]].map(([count]) => [count, undefined]),
  ]);
  one.close();
  const two = await openNode(directory, { endpointsMax: 200 });
  assert.deepEqual(pinned(directory), names);
  const map = BpfMap.open(join(directory, ABI_DIRECTORY, endpoints.name), "read");
  assert.equal(map.info.maxEntries, 100);
  map.close();
  assert.deepEqual(await two.gatewayIndexes(), [{ index: 5, address: address("192.168.1.2") }]);
  assert.deepEqual(await two.egressIndexes(), [
    { index: 7, address: address("192.0.2.10") },
    { index: 8, address: address("2001:db8:f::1") },
  ]);
  two.close();
});

kernelTest("have maps that take differences, and delete only what is synced", async () => {
  const programs = await openNode(folder());
  const all = sampleDatapath(7);
  await programs.apply(all, SYNCED);
  const fewer = { ...all, gateways: [], endpoints: sampleDatapath(8).endpoints.slice(0, 2) };
  const count = async (how: { prune: boolean }) =>
    (await programs.apply(fewer, how))
      .map(({ map, written, deleted }) => ({ map, written, deleted }))
      .filter(({ written, deleted }) => written + deleted > 0);
  assert.deepEqual(await count({ prune: false }), [
    { map: endpoints.name, written: 1, deleted: 0 },
  ]);
  assert.equal((await programs.gatewayIndexes()).length, 1);
  assert.deepEqual(await count(SYNCED), [
    { map: endpoints.name, written: 0, deleted: 3 },
    { map: DATAPATH_MAPS.gatewayByIndex.name, written: 0, deleted: 1 },
    { map: gateways.name, written: 0, deleted: 1 },
  ]);
  assert.deepEqual(await count(SYNCED), []);
  programs.close();
});

kernelTest("have a full map take what fits, and the rest once it can", async () => {
  const programs = await openNode(folder(), { endpointsMax: 100 });
  const many = (from: number) => ({
    ...sampleDatapath(7),
    endpoints: Array.from({ length: 150 }, (_, i) => ({
      ...{ address: address(`10.0.${from}.${i}`), node: address("192.168.1.2"), ifindex: 0 },
    })),
  });
  const full = (await programs.apply(many(1), SYNCED)).find(({ map }) => map === endpoints.name);
  assert.deepEqual([full?.written, full?.failed, full?.error?.code], [100, 50, "E2BIG"]);
  const half = { ...many(1), endpoints: many(2).endpoints.slice(0, 100) };
  const again = (await programs.apply(half, SYNCED)).find(({ map }) => map === endpoints.name);
  assert.deepEqual([again?.written, again?.deleted, again?.error], [100, 100, undefined]);
  programs.close();
});

/** The error of opening, and that nothing was pinned. */
async function refused(options: Parameters<typeof openNode>[1]): Promise<OperationError> {
  const directory = folder();
  let error: unknown;
  await openNode(directory, options).catch((cause: unknown) => (error = cause));
  assert.ok(error instanceof OperationError, String(error));
  assert.ok(!readdirSync(directory).includes(ABI_DIRECTORY));
  return error;
}

kernelTest("that the kernel refuses are refused with the verifier's reason", async () => {
  const broken = Buffer.from(readFileSync(OBJECT));
  const exit = Buffer.from("9500000000000000", "hex");
  const move = Buffer.from("bf00000000000000", "hex");
  for (let at = broken.indexOf(exit); at >= 0; at = broken.indexOf(exit, at)) move.copy(broken, at);
  const object = join(tmpdir(), `sluice-broken-${process.pid}.o`);
  writeFileSync(object, broken);
  const { message, code } = await refused({ object });
  rmSync(object);
  assert.equal(code, "EINVAL");
  assert.match(message, /the kernel refuses sluice_\w+: .*last insn is not an exit/s);
});

kernelTest("change nothing on bad input", async () => {
  assert.equal((await refused({ object: "/nowhere/sluice.bpf.o" })).code, "ENOENT");
  assert.equal((await refused({ object: "/proc/self/cmdline" })).op, "bpf_object__open_file");
  assert.match((await refused({ self: address("fd00::1") })).message, /no internal IPv4 address/);
  const settings = { ...DEFAULT_SETTINGS, vni: 1 << 24 };
  assert.match((await refused({ settings })).message, /24 bits/);
  const shift = { ...DEFAULT_SETTINGS, markShift: 19 };
  assert.match((await refused({ settings: shift })).message, /19 bits/);
  const { code, target } = await refused({ policyMapDirectory: bpffs.directory });
  assert.deepEqual([code, target], ["ENOENT", join(bpffs.directory, MAP_LAYOUTS.v4_v2.name)]);
  await assert.rejects(openNode(folder(), { directory: tmpdir() }), { code: "NoBpffs" });
});

kernelTest("refuse a map of another layout that has the place of theirs", async () => {
  const directory = folder();
  mkdirSync(join(directory, ABI_DIRECTORY), { recursive: true });
  const path = join(directory, ABI_DIRECTORY, gateways.name);
  pinForeign(path, { ...gateways, maxEntries: 8, valueSize: 8 }, []);
  await assert.rejects(openNode(directory), { code: "ForeignLayout", target: path });
  assert.deepEqual(pinned(directory), [gateways.name]);
});
