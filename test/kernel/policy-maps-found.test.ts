// What becomes of policy maps that a process finds: their rows, and pins that somebody took away.

import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import type { Row } from "../../src/plan/row.ts";
import { openPolicyMaps } from "../../src/sinks/policy-maps.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { pinForeign } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const kernelTest = (title: string, body: () => Promise<void>) =>
  test(`policy maps ${title}`, { skip: bpffs.skip ?? false }, body);
const { v4, v4_v2, v6 } = MAP_LAYOUTS;
const SYNCED = { prune: true };

let folders = 0;
function open(legacyV4: boolean) {
  const directory = join(bpffs.directory, `found-${++folders}`);
  return { directory, maps: openPolicyMaps({ directory, maxEntries: 64, legacyV4 }) };
}

const FACTS = { gatewayIP: address("192.168.1.1"), ifindex: 3, policy: "" };
const ROWS: readonly Row[] = [
  ["10.0.0.1", "203.0.113.0/24", "192.0.2.7"],
  ["10.0.0.2", "203.0.113.0/24", "192.0.2.7"],
  ["fd00::1", "2001:db8::/32", "2001:db8::7"],
].map(([source = "", destination = "", egressIP = ""]) => ({
  ...{ source: address(source), destination: prefix(destination), egressIP: address(egressIP) },
  ...FACTS,
}));

kernelTest("tell the rows that they hold, each once [8.6]", async () => {
  const { maps } = open(true);
  await maps.apply(ROWS, SYNCED);
  assert.deepEqual(await maps.rows(), ROWS);
  maps.close();
});

kernelTest("leave out what others say of whole subnets", async () => {
  const { directory, maps } = open(false);
  maps.close();
  const { name, keySize, valueSize } = v4_v2;
  rmSync(join(directory, name));
  const subnet = Buffer.alloc(keySize);
  subnet.writeUInt32LE(24, 0);
  pinForeign(join(directory, name), { keySize, valueSize, maxEntries: 8 }, [
    [subnet, Buffer.alloc(valueSize)],
  ]);
  const found = openPolicyMaps({ directory, maxEntries: 64, legacyV4: false });
  assert.deepEqual(await found.rows(), []);
  found.close();
});

kernelTest("are pinned again when somebody empties the file system below them", async () => {
  const { directory, maps } = open(true);
  await maps.apply(ROWS, SYNCED);
  rmSync(directory, { recursive: true });
  const outcomes = await maps.apply(ROWS, SYNCED);
  assert.deepEqual(outcomes.map(({ unchanged }) => unchanged), [2, 1, 2]);
  assert.deepEqual(readdirSync(directory).sort(), [v4.name, v4_v2.name, v6.name].sort());
  maps.close();
  // The control: it is the map that was there, and not a new one.
  const again = openPolicyMaps({ directory, maxEntries: 64, legacyV4: false });
  assert.equal((await again.rows()).length, ROWS.length);
  again.close();
});
