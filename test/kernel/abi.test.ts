// What the C header says against what TypeScript says, by the types (BTF) of the compiled object:
// sizes, offsets, map types and flags, the names and order of the reasons. Needs no root.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { present } from "../../src/lib/assert.ts";
import { encodeRows, MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import {
  COUNTED_REASONS,
  COUNTERS,
  DATAPATH_MAPS,
  encodeSettings,
  MAP_TYPE,
  READ_ONLY_FLAGS,
  SETTINGS_MAP,
} from "../../src/reconcile/datapath-maps.ts";
import { INDEX_MAX } from "../../src/reconcile/mark.ts";
import { PROGRAM_NAMES } from "../../src/sinks/programs.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { OBJECT, objectMissing, sampleDatapath } from "./datapath-node.ts";

interface BtfType {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly { name: string; type_id: number; bits_offset: number }[];
  readonly values?: readonly { name: string; val: number }[];
}

const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
const dumped = spawnSync("bpftool", ["-j", "btf", "dump", "file", OBJECT], {
  ...{ encoding: "utf8", env: { ...process.env, PATH } },
});
const noTool = dumped.error && "there is no bpftool to read the object's types with";
const skip = objectMissing() ?? noTool ?? false;
/** Types by their id, which counts from 1. */
const types: readonly BtfType[] =
  skip === false ? (JSON.parse(dumped.stdout) as { types: BtfType[] }).types : [];
const abiTest = (title: string, body: () => void) => test(`the ABI: ${title}`, { skip }, body);

const typeOf = (id: number | undefined) => present(types[(id ?? 0) - 1], `type ${id}`);

function named(kind: string, name: string): BtfType {
  return present(
    types.find((type) => type.kind === kind && type.name === name),
    `${kind} ${name}`,
  );
}

function sizeOf(type: BtfType): number {
  if (type.kind === "ARRAY") return (type.nr_elems ?? 0) * sizeOf(typeOf(type.type_id));
  return type.size ?? sizeOf(typeOf(type.type_id));
}

/** Where the fields of a structure begin, in bytes. */
function offsets(struct: string): Record<string, number> {
  const { members = [] } = named("STRUCT", struct);
  return Object.fromEntries(members.map(({ name, bits_offset }) => [name, bits_offset / 8]));
}

/** What a map's definition says: numbers are sizes of arrays, types stand behind pointers. */
function definition(name: string): Record<string, number> {
  const { members = [] } = typeOf(named("VAR", name).type_id);
  const pairs = members.map((member): [string, number] => {
    const target = typeOf(typeOf(member.type_id).type_id);
    const isType = member.name === "key" || member.name === "value";
    return [member.name, isType ? sizeOf(target) : (target.nr_elems ?? 0)];
  });
  return Object.fromEntries(pairs);
}

const u32 = (bytes: Uint8Array, at: number) => Buffer.from(bytes).readUInt32LE(at);
const bytesAt = (bytes: Uint8Array, at: number, count: number) =>
  Buffer.from(bytes.subarray(at, at + count)).toString("hex");
const V4_MAPPED = "00000000000000000000ffff";

abiTest("the reasons of the programs have the names and the order of the table", () => {
  const snake = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  const wanted = [...COUNTED_REASONS.map((name) => `REASON_${snake(name)}`), "REASONS"];
  const { values = [] } = named("ENUM", "sluice_reason");
  assert.deepEqual(values, wanted.map((name, val) => ({ name, val })));
});

abiTest("every map has its type, sizes and flags", () => {
  const policies = [MAP_LAYOUTS.v4_v2, MAP_LAYOUTS.v6].map((layout) => ({
    ...{ ...layout, type: MAP_TYPE.lpmTrie, flags: READ_ONLY_FLAGS },
  }));
  for (const layout of [...Object.values(DATAPATH_MAPS), COUNTERS, ...policies]) {
    const { max_entries: room, ...found } = definition(layout.name);
    const { name, type, keySize, valueSize, flags } = layout;
    assert.deepEqual({ name, map_flags: 0, ...found }, {
      ...{ name, type, key: keySize, value: valueSize, map_flags: flags },
    });
    assert.ok((room ?? 0) > 0);
  }
  assert.equal(definition(COUNTERS.name)["max_entries"], COUNTED_REASONS.length);
  for (const { name } of [DATAPATH_MAPS.gateways, DATAPATH_MAPS.egress]) {
    assert.equal(definition(name)["max_entries"], INDEX_MAX);
  }
  for (const name of Object.values(PROGRAM_NAMES)) named("FUNC", name);
});

abiTest("settings stand where the programs read them", () => {
  const { self = -1, vni = -1, mark_shift = -1, ...rest } = offsets("sluice_settings");
  assert.deepEqual(rest, {});
  const settings = { ...DEFAULT_SETTINGS, vni: 0x123456, markShift: 17 };
  const bytes = encodeSettings(address("192.168.1.1"), settings);
  assert.equal(bytes.length, named("STRUCT", "sluice_settings").size);
  assert.equal(bytesAt(bytes, self, 4), "c0a80101");
  assert.equal(u32(bytes, vni), 0x123456);
  assert.equal(u32(bytes, mark_shift), 17);
  named("DATASEC", SETTINGS_MAP);
});

abiTest("endpoints and prefixes stand where the programs read them", () => {
  const datapath = sampleDatapath(70000);
  const endpoints = DATAPATH_MAPS.endpoints.encode(datapath);
  const { node = -1, ifindex = -1, ...rest } = offsets("sluice_endpoint");
  assert.deepEqual(rest, {});
  assert.equal(bytesAt(endpoints.keys, 0, 16), `${V4_MAPPED}0a000105`);
  assert.equal(bytesAt(endpoints.values, node, 4), "c0a80101");
  assert.equal(u32(endpoints.values, ifindex), 70000);
  assert.equal(bytesAt(endpoints.keys, 3 * 16, 16), "fd000001000000000000000000000005");

  const cluster = DATAPATH_MAPS.cluster.encode(datapath);
  const key = offsets("sluice_cluster_key");
  assert.equal(u32(cluster.keys, key["prefixlen"] ?? -1), 96 + 8);
  assert.equal(bytesAt(cluster.keys, key["address"] ?? -1, 16), `${V4_MAPPED}0a000000`);
  const { keySize } = DATAPATH_MAPS.cluster;
  assert.equal(u32(cluster.keys, 2 * keySize + (key["prefixlen"] ?? -1)), 16);
});

abiTest("indexes of gateways and egress IPs lead both ways", () => {
  const datapath = sampleDatapath(1);
  const there = DATAPATH_MAPS.gateways.encode(datapath);
  const back = DATAPATH_MAPS.gatewayByIndex.encode(datapath);
  assert.equal(bytesAt(there.keys, 0, 4), "c0a80102");
  assert.deepEqual(there.values, back.keys);
  assert.deepEqual(there.keys, back.values);
  const egress = DATAPATH_MAPS.egress.encode(datapath);
  assert.equal(bytesAt(egress.keys, 0, 16), `${V4_MAPPED}c000020a`);
  assert.deepEqual([...new Uint32Array(egress.values.buffer)], [7, 8]);
});

abiTest("policy rows stand where the programs read them [7.5]", () => {
  for (const [layout, version, source, destination, egress, hex] of [
    [MAP_LAYOUTS.v4_v2, 4, "10.0.1.5", "203.0.113.0/24", "192.0.2.10", "c000020a"],
    [MAP_LAYOUTS.v6, 6, "fd00::5", "2001:db8::/32", "2001:db8::a", `20010db8${"0".repeat(23)}a`],
  ] as const) {
    const row = {
      ...{ source: address(source), destination: prefix(destination), policy: "policy" },
      ...{ egressIP: address(egress), gatewayIP: address("192.168.1.2"), ifindex: 70000 },
    };
    const { keys, values } = encodeRows(layout, [row]);
    const key = offsets(`sluice_policy_key${version}`);
    const value = offsets(`sluice_policy_value${version}`);
    const bits = row.source.length * 8;
    assert.equal(u32(keys, key["prefixlen"] ?? -1), bits + (version === 4 ? 24 : 32));
    const found = keys.subarray(key["source"], key["destination"]);
    assert.equal(String.fromCharCode(...found), row.source);
    assert.equal(bytesAt(values, value["egress_ip"] ?? -1, row.source.length), hex);
    assert.equal(bytesAt(values, value["gateway_ip"] ?? -1, 4), "c0a80102");
    assert.equal(u32(values, value["egress_ifindex"] ?? -1), 70000);
    assert.equal(value["egress_ifindex"], layout.ifindexAt);
  }
});
