import assert from "node:assert/strict";
import { test } from "node:test";
import { address, prefix } from "../../test/support/sample-plan.ts";
import type { NftTable } from "../net/nft-table.ts";
import { REASONS } from "../plan/reason.ts";
import type { DatapathSettings, NodeDatapath } from "./datapath.ts";
import { DEFAULT_SETTINGS } from "./datapath.ts";
import { renderChange } from "./ruleset-diff.ts";
import { buildRuleset } from "./ruleset.ts";

const EMPTY: NodeDatapath = {
  self: address("192.168.1.1"),
  nodes: [],
  clusterPrefixes: [],
  podPrefixes: [],
  ownPodPrefixes: [],
  endpoints: [],
  gateways: [],
  egressIPs: [],
  classified: [],
  selected: [],
  podDevices: [],
};

interface More {
  readonly settings?: Partial<DatapathSettings>;
  readonly retained?: NftTable;
  readonly hasTimeouts?: boolean;
}

function build(desired: Partial<NodeDatapath> = {}, more: More = {}): NftTable {
  const { settings, retained, hasTimeouts = true } = more;
  return buildRuleset({
    settings: { ...DEFAULT_SETTINGS, ...settings },
    desired: { ...EMPTY, ...desired },
    tunnelMtu: 1450,
    hasTimeouts,
    retained,
  });
}

function change(from: NftTable | undefined, to: NftTable): string[] {
  return renderChange({ table: "sluice", from, to }).trimEnd().split("\n");
}

const keys = (table: NftTable, set: string) => [...(table.sets.get(set)?.elements.keys() ?? [])];
const entries = (table: NftTable, set: string) => [...(table.sets.get(set)?.elements ?? [])];

test("each drop has a counter, and each counter a chain that uses it", () => {
  const table = build();
  const counted = REASONS.filter(({ counter }) => counter === "nftables").map(({ name }) => name);
  assert.deepEqual([...table.counters.keys()], counted);
  const rules = [...table.chains.values()].flatMap((chain) => chain.rules ?? []).join("\n");
  for (const name of counted) {
    assert.deepEqual(table.chains.get(`drop_${name}`)?.rules, [`counter name ${name} drop`]);
    assert.match(rules, new RegExp(`goto drop_${name}\\b`));
  }
});

test("a chain leads only to chains and sets that are there", () => {
  const table = build({ gateways: [{ index: 7, address: address("192.168.1.2") }] });
  const values = [...table.sets.values()].flatMap(({ elements }) => [...elements.values()]);
  const rules = [...table.chains.values()].flatMap((chain) => chain.rules ?? []);
  for (const text of [...rules, ...values]) {
    for (const [, kind, name = ""] of text.matchAll(/(goto |@)(\w+)/g)) {
      assert.ok((kind === "@" ? table.sets : table.chains).has(name), text);
    }
  }
});

test("marks are constants at their place, and the bits of others stay", () => {
  const egressIPs = [{ index: 9, address: address("192.0.2.1"), device: "eth0" }];
  const table = build({ egressIPs }, { settings: { markShift: 4 } });
  assert.deepEqual(keys(table, "keep"), ["0x20090", "0x30090"]);
  assert.deepEqual(entries(table, "snat4"), [["0x90", "192.0.2.1"]]);
  assert.deepEqual(table.chains.get("keep_3009")?.rules, [
    "meta mark set meta mark & 0xfffc000f | 0x30090",
  ]);
  const high = build({ egressIPs }, { settings: { markShift: 18 } });
  assert.deepEqual(high.chains.get("begin_3009")?.rules, [
    "ct mark set ct mark & 0x3ffff | 0xc0240000",
  ]);
});

test("prefixes within others are left out of sets of intervals", () => {
  const clusterPrefixes = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "11.0.0.1/32"].map(prefix);
  assert.deepEqual(keys(build({ clusterPrefixes }), "cluster4"), ["10.0.0.0/8", "11.0.0.1"]);
});

test("an interface whose name nft cannot quote opens nothing", () => {
  const classified = ['a"b', "veth*", "veth1", "a\\b"].map((name) => ({
    interface: name,
    address: address("10.0.0.1"),
  }));
  assert.deepEqual(keys(build({ classified }), "classified4"), ['"veth1" . 10.0.0.1']);
});

test("retained elements stay beside the desired ones, which win", () => {
  const retained = build({
    clusterPrefixes: ["10.1.0.0/16", "10.2.0.0/16"].map(prefix),
    gateways: [{ index: 7, address: address("192.168.1.2") }],
    egressIPs: [
      { index: 1, address: address("192.0.2.1"), device: undefined },
      { index: 2, address: address("192.0.2.2"), device: undefined },
    ],
    selected: [address("10.1.0.1")],
  });
  const desired = {
    clusterPrefixes: [prefix("10.1.0.0/8")],
    egressIPs: [{ index: 1, address: address("192.0.2.9"), device: "eth0" }],
  };
  const table = build(desired, { retained });
  assert.deepEqual(keys(table, "cluster4"), ["10.0.0.0/8"]);
  assert.deepEqual(keys(table, "selected4"), ["10.1.0.1"]);
  assert.deepEqual(keys(table, "keep"), ["0x1007", "0x2001", "0x2002", "0x3001", "0x3002"]);
  assert.deepEqual(entries(table, "snat4"), [["0x1", "192.0.2.9"], ["0x2", "192.0.2.2"]]);
  assert.ok(table.chains.has("keep_1007"));
  // Marks that another shift wrote mean nothing.
  const shifted = build({}, { retained, settings: { markShift: 2 } });
  assert.deepEqual(keys(shifted, "keep"), []);
});

test("the same table twice is no transaction", () => {
  assert.equal(renderChange({ table: "sluice", from: build(), to: build() }), "");
});

test("a new element is a transaction of one line", () => {
  const selected = ["10.0.0.1", "10.0.0.2"].map(address);
  assert.deepEqual(change(build({ selected: selected.slice(0, 1) }), build({ selected })), [
    "add element inet sluice selected4 { 10.0.0.2 }",
  ]);
  assert.deepEqual(change(build({ selected }), build({ selected: selected.slice(1) })), [
    "delete element inet sluice selected4 { 10.0.0.1 }",
  ]);
});

test("an index comes with its chains first and goes with them last", () => {
  const gateways = [{ index: 1, address: address("192.168.1.2") }];
  assert.deepEqual(change(build(), build({ gateways })), [
    "add chain inet sluice offer_1001",
    "add chain inet sluice begin_1001",
    "add chain inet sluice keep_1001",
    "add rule inet sluice offer_1001 ct direction original ct mark & 0x3fff == 0x1001 accept",
    "add rule inet sluice offer_1001 goto proposed",
    "add rule inet sluice begin_1001 ct mark set ct mark & 0xffffc000 | 0x1001",
    "add rule inet sluice keep_1001 meta mark set meta mark & 0xffffc000 | 0x1001",
    "add element inet sluice offer { 0x1001 : goto offer_1001 }",
    "add element inet sluice begin { 0x1001 : goto begin_1001 }",
    "add element inet sluice keep { 0x1001 : goto keep_1001 }",
  ]);
  assert.deepEqual(change(build({ gateways }), build()), [
    "delete element inet sluice offer { 0x1001 : goto offer_1001 }",
    "delete element inet sluice begin { 0x1001 : goto begin_1001 }",
    "delete element inet sluice keep { 0x1001 : goto keep_1001 }",
    "flush chain inet sluice offer_1001",
    "flush chain inet sluice begin_1001",
    "flush chain inet sluice keep_1001",
    "delete chain inet sluice offer_1001",
    "delete chain inet sluice begin_1001",
    "delete chain inet sluice keep_1001",
  ]);
});

test("a set of another type has the table made anew, and counts go on", () => {
  const to = build();
  const nodes = { keyType: "mark", valueType: undefined, interval: false, elements: new Map() };
  const from = { ...to, counters: new Map([["Invalid", 7]]), sets: new Map([["nodes", nodes]]) };
  const lines = change(from, to);
  assert.deepEqual(lines.slice(0, 2), ["delete table inet sluice", "add table inet sluice"]);
  assert.ok(lines.includes("add counter inet sluice Invalid { packets 7 bytes 0 ; }"));
});

test("time-outs come before the rule that uses them, where the kernel has any", () => {
  const [without, all] = [build({}, { hasTimeouts: false }), build()];
  const policy = "{ protocol tcp ; l3proto ip ; policy = { close : 0 } ; }";
  const rule = 'add rule inet sluice begun meta l4proto tcp ct timeout set "policy_tcp"';
  const [first, flush, second] = change(without, all);
  assert.equal(first, `add ct timeout inet sluice policy_tcp ${policy}`);
  assert.deepEqual([flush, second], ["flush chain inet sluice begun", rule]);
  assert.equal(change(all, without).at(-1), "delete ct timeout inet sluice policy_tcp");
  assert.doesNotMatch(change(undefined, without).join("\n"), /timeout/);
});

test("told to allow, unclassified pods are not asked for", () => {
  const rules = (unclassified: "hold" | "allow") =>
    build({}, { settings: { unclassified } }).chains.get("leaving4")?.rules?.join("\n") ?? "";
  assert.match(rules("hold"), /drop_Unclassified/);
  assert.doesNotMatch(rules("allow"), /drop_Unclassified/);
  assert.match(rules("allow"), /drop_ServiceToOutside/);
});
