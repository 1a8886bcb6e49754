// `sluice map list` on the running kernel, on maps that another program wrote.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { MapLayout } from "../../src/plan/map-layout.ts";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { MAIN, sluice } from "../support/run-cli.ts";
import { assertValid } from "../support/schema.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { pinForeign, rawKey, rawValue } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const kernelTest = (title: string, body: () => void) =>
  test(`sluice map list ${title}`, { skip: bpffs.skip ?? false }, body);
const { v4, v4_v2, v6 } = MAP_LAYOUTS;
const ROOM = 16384;

let nodes = 0;
/** A node whose maps another program wrote, as Cilium does. */
function foreignNode(): string {
  const directory = join(bpffs.directory, `node-${++nodes}`);
  mkdirSync(directory);
  const pin = (layout: MapLayout, all: [Buffer, Buffer][]) => {
    const shape = { ...layout, maxEntries: ROOM };
    pinForeign(join(directory, layout.name), shape, all);
  };
  const keys = [rawKey("10.0.1.10", "0.0.0.0/0"), rawKey("10.0.1.9", "203.0.113.0/24")] as const;
  const [first, second] = keys;
  pin(v4, [
    [first, rawValue("192.0.2.10", "192.168.1.1")],
    [second, rawValue("0.0.0.0", "0.0.0.1")],
  ]);
  pin(v4_v2, [
    [first, rawValue("192.0.2.10", "192.168.1.1", 12)],
    [second, rawValue("0.0.0.0", "0.0.0.1", 0)],
  ]);
  const key = rawKey("2001:db8::5", "2001:db8:aa00::/41");
  pin(v6, [[key, rawValue("2001:db8:f::1", "192.168.1.1", 12)]]);
  return directory;
}

kernelTest("shows entries that another program wrote, sorted [7.5]", () => {
  const directory = foreignNode();
  const { exit, stdout, stderr } = sluice(["map", "list", "--map-dir", directory]);
  assert.deepEqual([exit, stderr], [0, ""]);
  const room = "room for 16,384";
  assert.equal(
    stdout,
    `${directory}/cilium_egress_gw_policy_v4  2 rows, ${room}
  SOURCE IP  DESTINATION CIDR  EGRESS IP   GATEWAY IP
  10.0.1.9   203.0.113.0/24    –           excluded
  10.0.1.10  0.0.0.0/0         192.0.2.10  192.168.1.1

${directory}/cilium_egress_gw_policy_v4_v2  2 rows, ${room}
  SOURCE IP  DESTINATION CIDR  EGRESS IP   GATEWAY IP   IF
  10.0.1.9   203.0.113.0/24    –           excluded      –
  10.0.1.10  0.0.0.0/0         192.0.2.10  192.168.1.1  12

${directory}/cilium_egress_gw_policy_v6  1 row, ${room}
  SOURCE IP    DESTINATION CIDR    EGRESS IP      GATEWAY IP   IF
  2001:db8::5  2001:db8:aa00::/41  2001:db8:f::1  192.168.1.1  12

  – no egress IP of this node is used · excluded (0.0.0.1) leaves by the ordinary path · drop \
(0.0.0.0) has no gateway
`,
  );
});

kernelTest("shows the same as JSON [7.5]", () => {
  const directory = foreignNode();
  const { exit, stdout } = sluice(["map", "list", "-o", "json"], {
    env: { SLUICE_MAP_DIR: directory },
  });
  assert.equal(exit, 0);
  const document = JSON.parse(stdout) as { maps: unknown[]; rows: unknown[] };
  assertValid("maps", document);
  const { maps, rows } = document;
  const path = join(directory, v4.name);
  assert.deepEqual(maps[0], { name: v4.name, path, maxEntries: ROOM, rows: 2 });
  assert.equal(rows.length, 5);
  assert.deepEqual(rows[1], {
    map: v4.name,
    source: "10.0.1.10",
    destination: "0.0.0.0/0",
    egressIP: "192.0.2.10",
    gatewayIP: "192.168.1.1",
    ifindex: null,
  });
  assert.equal((rows[4] as { ifindex: number }).ifindex, 12);
});

kernelTest("says what to do where there is no BPF file system, no map, no permission", () => {
  const list = (directory: string) => sluice(["map", "list", "--map-dir", directory]);
  const outside = list("/proc");
  assert.equal(outside.exit, 2);
  assert.match(outside.stderr, /\/proc: this is not in a BPF file system.*\n.*mount -t bpf/);
  const empty = list(bpffs.directory);
  assert.equal(empty.exit, 2);
  assert.match(empty.stderr, /there is no policy map in .*\n.*--map-dir/);
  // Root without capabilities may not open what belongs to somebody else.
  const directory = foreignNode();
  chownSync(join(directory, v4.name), 65534, 65534);
  const drop = ["--bounding-set=-all", "--inh-caps=-all", process.execPath, MAIN];
  const command = ["map", "list", "--map-dir", directory];
  const denied = spawnSync("setpriv", [...drop, ...command], { encoding: "utf8" });
  assert.equal(denied.status, 2);
  assert.match(denied.stderr, /_v4: permission denied .*EACCES.*\nRun as root/);
});
