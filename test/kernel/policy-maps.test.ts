// The policy maps' sink on the running kernel, its work looked at by a second hand.

import assert from "node:assert/strict";
import { closeSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { present } from "../../src/lib/assert.ts";
import { parseAddress } from "../../src/net/address.ts";
import { parsePrefix } from "../../src/net/prefix.ts";
import type { MapLayout } from "../../src/plan/map-layout.ts";
import { encodeRows, MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import type { Row } from "../../src/plan/row.ts";
import type { MapOutcome, PolicyMapsOptions } from "../../src/sinks/policy-maps.ts";
import { openPolicyMaps } from "../../src/sinks/policy-maps.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { entriesOf, lookup, openMap, pinForeign, rawKey, rawValue } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const kernelTest = (title: string, body: () => void | Promise<void>) =>
  test(`policy maps ${title}`, { skip: bpffs.skip ?? false }, body);
const { v4, v4_v2, v6 } = MAP_LAYOUTS;
const ROOM = 16384;
const SYNCED = { prune: true };
const STARTING = { prune: false };

let folders = 0;
/** A folder of the bpffs that no other test uses; not made yet. */
function folder(): string {
  return join(bpffs.directory, `test-${++folders}`);
}

function open(directory: string, options: Partial<PolicyMapsOptions> = {}) {
  return openPolicyMaps({ directory, maxEntries: ROOM, legacyV4: false, ...options });
}

interface RowText {
  readonly source: string;
  readonly destination: string;
  readonly egressIP?: string;
  readonly gatewayIP?: string;
  readonly ifindex?: number;
}

function row({ source, destination, egressIP, gatewayIP, ifindex = 0 }: RowText): Row {
  const none = source.includes(":") ? "::" : "0.0.0.0";
  return {
    source: present(parseAddress(source), source),
    destination: present(parsePrefix(destination), destination),
    egressIP: present(parseAddress(egressIP ?? none), "egress IP"),
    gatewayIP: present(parseAddress(gatewayIP ?? "192.168.1.1"), "gateway IP"),
    ifindex,
    policy: "policy",
  };
}

/** `count` rows of distinct sources from 10.0.0.0 on, sorted. */
function manyRows(count: number, more: Partial<RowText> = {}): Row[] {
  return Array.from({ length: count }, (_, i) =>
    row({ source: `10.0.${i >> 8}.${i & 255}`, destination: "203.0.113.0/24", ...more }),
  );
}

/** The outcomes in which something happened or stood, without what is zero. */
function told(outcomes: readonly MapOutcome[]): object[] {
  return outcomes
    .map(({ error, ...counts }) => ({ ...counts, error: error?.code }))
    .map((outcome) => Object.fromEntries(Object.entries(outcome).filter(([, value]) => value)))
    .filter((outcome) => Object.keys(outcome).length > 1);
}

function entries(directory: string, layout: MapLayout): string[] {
  const fd = openMap(join(directory, layout.name));
  const found = entriesOf(fd, layout);
  closeSync(fd);
  return found;
}

const entry = (key: Buffer, value: Buffer) => `${key.toString("hex")}=${value.toString("hex")}`;

kernelTest("hold rows in Cilium's layout, to the byte [7.5]", async () => {
  const directory = folder();
  const maps = open(directory, { legacyV4: true });
  const texts: readonly (readonly [string, string, string, string, number])[] = [
    ["10.0.1.5", "0.0.0.0/0", "192.0.2.10", "192.168.1.1", 7],
    ["10.0.1.5", "10.0.0.0/8", "0.0.0.0", "0.0.0.1", 0],
    ["10.0.1.200", "203.0.113.128/25", "0.0.0.0", "192.168.1.2", 70000],
    ["2001:db8::5", "::/0", "2001:db8:f::1", "192.168.1.1", 7],
    ["2001:db8::5", "2001:db8:aa00::/41", "::", "0.0.0.0", 0],
  ];
  const rows = texts.map(([source, destination, egressIP, gatewayIP, ifindex]) =>
    row({ source, destination, egressIP, gatewayIP, ifindex }),
  );
  assert.deepEqual(told(await maps.apply(rows, STARTING)), [
    { map: v4_v2.name, written: 3 },
    { map: v6.name, written: 2 },
    { map: v4.name, written: 3 },
  ]);
  const wanted = (from: number, to: number, ifindexed: boolean) =>
    texts
      .slice(from, to)
      .map(([source, destination, egressIP, gatewayIP, ifindex]) => {
        const value = rawValue(egressIP, gatewayIP, ifindexed ? ifindex : undefined);
        return entry(rawKey(source, destination), value);
      })
      .sort();
  assert.deepEqual(entries(directory, v4_v2), wanted(0, 3, true));
  assert.deepEqual(entries(directory, v6), wanted(3, 5, true));
  assert.deepEqual(entries(directory, v4), wanted(0, 3, false));
  maps.close();
});

kernelTest("have names, type, sizes and flags that Cilium's programs expect [7.5]", () => {
  const directory = folder();
  open(directory, { legacyV4: true }).close();
  assert.deepEqual(readdirSync(directory).sort(), [v4.name, v4_v2.name, v6.name]);
  const map = BpfMap.open(join(directory, v6.name), "read");
  const { name, ...shape } = map.info;
  assert.deepEqual(shape, { type: 11, keySize: 36, valueSize: 40, maxEntries: ROOM, flags: 0x81 });
  assert.equal(name, "cilium_egress_g");
  map.close();
});

kernelTest("take differences only: rows already right are not rewritten [7.8]", async () => {
  const batches: [string, number][] = [];
  const maps = open(folder(), { onBatch: ({ op, entries }) => batches.push([op, entries]) });
  const rows = manyRows(5000);
  await maps.apply(rows, SYNCED);
  assert.deepEqual(told(await maps.apply(rows, SYNCED)), [{ map: v4_v2.name, unchanged: 5000 }]);
  const changed = rows.with(17, { ...(rows[17] as Row), ifindex: 9 });
  changed.splice(100, 3);
  changed.push(row({ source: "10.9.0.1", destination: "0.0.0.0/0" }));
  assert.deepEqual(told(await maps.apply(changed, SYNCED)), [
    { map: v4_v2.name, written: 2, deleted: 3, unchanged: 4996 },
  ]);
  assert.deepEqual(batches, [["write", 5000], ["write", 2], ["delete", 3]]);
  maps.close();
});

kernelTest("tell rows that somebody else took from those that the plan changes", async () => {
  const [directory, rows] = [folder(), manyRows(10)];
  const maps = open(directory);
  await maps.apply(rows, SYNCED);
  const map = BpfMap.open(join(directory, v4_v2.name), "write");
  const { keys, values } = encodeRows(v4_v2, rows.slice(0, 3));
  await map.delete(keys.slice(0, 2 * v4_v2.keySize));
  // Of the third the value is another one.
  values.fill(0xff);
  await map.update(keys.slice(2 * v4_v2.keySize), values.slice(2 * v4_v2.valueSize));
  map.close();
  maps.doubt();
  // Meanwhile the plan changes one of the rest, and one of those that are gone.
  const next = rows.with(9, { ...(rows[9] as Row), ifindex: 9 });
  next[0] = { ...(rows[0] as Row), ifindex: 9 };
  assert.deepEqual(told(await maps.apply(next, SYNCED)), [
    { map: v4_v2.name, written: 4, repaired: 2, unchanged: 6 },
  ]);
  maps.doubt();
  assert.deepEqual(told(await maps.apply(next, SYNCED)), [{ map: v4_v2.name, unchanged: 10 }]);
  maps.close();
});

kernelTest("are never without a row where the old and the new plan have one [7.8]", async () => {
  const directory = folder();
  const maps = open(directory);
  const wide = manyRows(3000, { destination: "0.0.0.0/0" });
  const narrow = manyRows(3000, { destination: "203.0.0.0/8" });
  const [one, two] = [encodeRows(v4_v2, wide), encodeRows(v4_v2, narrow)];
  await maps.apply(wide, SYNCED);
  const ours = await missesWhile(directory, () => maps.apply(narrow, SYNCED));
  assert.ok(ours.reads > 2, `${ours.reads} reads`);
  assert.equal(ours.misses, 0);
  maps.close();

  // The mechanism off: deletes first.
  const map = BpfMap.open(join(directory, v4_v2.name), "write");
  const control = await missesWhile(directory, async () => {
    await map.delete(two.keys);
    await map.update(one.keys, one.values);
  });
  assert.ok(control.misses > 0);
  map.close();
});

kernelTest("keep entries of an earlier life until all sources are synced [7.8]", async () => {
  const directory = folder();
  const before = open(directory);
  await before.apply(manyRows(3000), SYNCED);
  before.close();
  const after = open(directory);
  const rows = manyRows(2000);
  // Whatever this process wanted itself it may delete; what it found stays.
  await after.apply([...rows, row({ source: "10.9.0.1", destination: "0.0.0.0/0" })], STARTING);
  assert.deepEqual(told(await after.apply(rows, STARTING)), [
    { map: v4_v2.name, deleted: 1, unchanged: 2000 },
  ]);
  assert.equal(entries(directory, v4_v2).length, 3000);
  assert.deepEqual(told(await after.apply(rows, SYNCED)), [
    { map: v4_v2.name, unchanged: 2000, pruned: 1000 },
  ]);
  assert.equal(entries(directory, v4_v2).length, 2000);
  after.close();
});

kernelTest("know an entry that was written with host bits as the one it is [7.5]", async () => {
  const directory = folder();
  mkdirSync(directory);
  const value = rawValue("0.0.0.0", "192.168.1.1", 0);
  const unmasked = rawKey("10.0.1.5", "203.0.113.99/24");
  const shape = { ...v4_v2, maxEntries: ROOM };
  pinForeign(join(directory, v4_v2.name), shape, [[unmasked, value]]);
  const maps = open(directory);
  const rows = [row({ source: "10.0.1.5", destination: "203.0.113.0/24" })];
  assert.deepEqual(told(await maps.apply(rows, SYNCED)), [{ map: v4_v2.name, unchanged: 1 }]);
  assert.equal(entries(directory, v4_v2).length, 1);
  assert.deepEqual(told(await maps.apply([], SYNCED)), [{ map: v4_v2.name, deleted: 1 }]);
  assert.deepEqual(entries(directory, v4_v2), []);
  maps.close();
});

kernelTest("that are full say how many rows fit, and take the rest once they can", async () => {
  const maps = open(folder(), { maxEntries: 1500 });
  const rows = manyRows(2000);
  const [full] = await maps.apply(rows, SYNCED);
  assert.deepEqual(told([full as MapOutcome]), [
    { map: v4_v2.name, written: 1500, failed: 500, error: "ENOSPC" },
  ]);
  assert.match(full?.error?.message ?? "", /the map is full/);
  // The 500 new ones come first, find no room, and fit once the old ones are gone.
  assert.deepEqual(told(await maps.apply(rows.slice(1000), SYNCED)), [
    { map: v4_v2.name, written: 500, deleted: 1000, unchanged: 500 },
  ]);
  maps.close();
});

kernelTest("delete behind a missing key too", async () => {
  const directory = folder();
  const maps = open(directory);
  await maps.apply(manyRows(2500), SYNCED);
  const { keys } = encodeRows(v4_v2, manyRows(2500));
  const map = BpfMap.open(join(directory, v4_v2.name), "write");
  // One key at the head of a chunk, neighbours, the last one.
  const missing = [1024, 1500, 1501, 2499].map((i) => keys.slice(i * 12, (i + 1) * 12));
  assert.equal((await map.delete(Buffer.concat(missing))).done, 4);
  assert.equal((await map.dump()).count, 2496);
  assert.deepEqual(await map.delete(keys), { done: 2500, error: undefined });
  assert.equal((await map.dump()).count, 0);
  map.close();
  maps.close();
});

for (const [what, shape] of [
  ["type", { ...v6, maxEntries: 8, type: 1 }],
  ["key size", { ...v6, maxEntries: 8, keySize: 12 }],
  ["value size", { ...v6, maxEntries: 8, valueSize: 20 }],
  ["flags", { ...v6, maxEntries: 8, flags: 0x01 }],
] as const) {
  kernelTest(`are refused with another ${what} before anything is changed [7.5]`, () => {
    const directory = folder();
    mkdirSync(directory);
    const path = join(directory, v6.name);
    pinForeign(path, shape, []);
    assert.throws(() => open(directory), {
      name: "OperationError",
      code: "ForeignLayout",
      target: path,
      message: /pinned here: .*key \d+ bytes.*; wanted: LPM trie, key 36 bytes, .*flags 0x81/,
      remedy: /nothing was changed/,
    });
    assert.deepEqual(readdirSync(directory), [v6.name]);
  });
}

kernelTest("are not made outside of a BPF file system", () => {
  const directory = join(tmpdir(), `sluice-nowhere-${process.pid}`, "maps");
  assert.throws(() => open(directory), { code: "NoBpffs", remedy: /mount -t bpf/ });
  assert.ok(!existsSync(dirname(directory)));
});

/** How often a packet finds no row while `work` goes on; the reader has a turn after each chunk. */
async function missesWhile(directory: string, work: () => Promise<unknown>) {
  const fd = openMap(join(directory, v4_v2.name));
  const result = { reads: 0, misses: 0 };
  let working = true;
  const read = () => {
    if (!working) return;
    for (let i = 0; i < 3000; i += 100) {
      const key = rawKey(`10.0.${i >> 8}.${i & 255}`, "203.0.113.9/32");
      if (lookup(fd, key, v4_v2.valueSize) === undefined) result.misses++;
    }
    result.reads++;
    setImmediate(read);
  };
  read();
  await work();
  working = false;
  closeSync(fd);
  return result;
}
