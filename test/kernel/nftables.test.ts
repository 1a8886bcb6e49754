// The nftables sink on the running kernel: what it writes, leaves alone and takes over.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { INDEX_NONE } from "../../src/reconcile/mark.ts";
import { openNftables, removeNftables } from "../../src/sinks/nftables.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { dropped, openTable, startNode, STARTING, SYNCED, tunnel } from "./node.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { DATAPATH } from "./router.ts";

const skip = enterPrivateNetns();
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(title, { skip: skip ?? false }, body);
const list = () => shell("nft list table inet sluice");

kernelTest("a table is written once, and then only what differs", async (t) => {
  const table = openTable(t);
  assert.deepEqual(await table.apply(DATAPATH, SYNCED), { changed: true });
  const first = list();
  assert.deepEqual(await table.apply(DATAPATH, SYNCED), { changed: false });
  assert.equal(await table.verify(), true);
  const counters = await table.counters();
  assert.equal(counters.size, 11);

  const classified = [{ interface: "cni0", address: address("10.244.1.9") }];
  const clusterPrefixes = [...DATAPATH.clusterPrefixes, prefix("10.0.0.0/8")];
  const egressIPs = [{ index: 1, address: address("198.51.100.32"), device: "out0" }];
  const other = { ...DATAPATH, classified, clusterPrefixes, egressIPs, gateways: [] };
  assert.deepEqual(await table.apply(other, SYNCED), { changed: true });
  assert.match(list(), /elements = \{ "cni0" \. 10\.244\.1\.9 \}/);
  assert.match(list(), /elements = \{ 10\.0\.0\.0\/8, 172\.20\.0\.0\/24 \}/);
  assert.match(list(), /elements = \{ 0x00000001 : 198\.51\.100\.32 \}/);
  assert.doesNotMatch(list(), /begin_1001|keep_3002/);
  await table.apply(DATAPATH, SYNCED);
  assert.equal(sorted(list()), sorted(first));
});

/** Chains stand in the order in which they were made. */
function sorted(text: string): string {
  return text.split("\n").sort().join("\n");
}

kernelTest("while sources are not synced, nothing that was classified goes [7.8]", async (t) => {
  await openTable(t).apply(DATAPATH, SYNCED);
  const before = list();
  const restarted = openTable(t);
  const little: NodeDatapath = {
    ...DATAPATH,
    clusterPrefixes: [prefix("10.96.0.0/12")],
    gateways: [],
    egressIPs: [],
    classified: [{ interface: "pod1", address: address("10.244.1.6") }],
    selected: [],
  };
  await restarted.apply(little, STARTING);
  assert.match(list(), /"pod0" \. 10\.244\.1\.5/);
  assert.match(list(), /"pod1" \. 10\.244\.1\.6/);
  assert.match(list(), /10\.96\.0\.0\/12, 10\.244\.0\.0\/16/);
  assert.match(list(), /0x00001001 : goto keep_1001/);
  assert.match(list(), /0x00000002 : 203\.0\.113\.31/);
  await restarted.apply(DATAPATH, SYNCED);
  assert.equal(sorted(list()), sorted(before));
});

kernelTest("a restart finds the table as it is, and counters go on counting", async (t) => {
  const { router, table } = await startNode(t);
  router.propose(tunnel(INDEX_NONE));
  router.sends("198.51.100.2");
  assert.deepEqual(await dropped(table), { NoGateway: 1 });
  const restarted = openNftables(DEFAULT_SETTINGS);
  assert.equal(await restarted.verify(), false);
  assert.deepEqual(await restarted.apply(DATAPATH, STARTING), { changed: false });
  assert.deepEqual(await restarted.apply(DATAPATH, SYNCED), { changed: false });
  assert.equal(await restarted.verify(), true);
  assert.deepEqual(await dropped(restarted), { NoGateway: 1 });
});

kernelTest("what somebody else does to the table is seen and undone", async (t) => {
  const table = openTable(t);
  await table.apply(DATAPATH, SYNCED);
  const before = list();
  const accidents = [
    "nft flush chain inet sluice guard_leaving",
    "nft 'add element inet sluice classified4 { \"pod9\" . 10.244.1.9 }'",
    "nft 'add chain inet sluice stray { type filter hook input priority 0 ; }'",
    "nft delete table inet sluice",
    "nft flush ruleset; nft add table inet sluice; nft 'add set inet sluice nodes { type mark ; }'",
  ];
  for (const accident of accidents) {
    shell(accident);
    assert.equal(await table.verify(), false, accident);
    assert.deepEqual(await table.apply(DATAPATH, SYNCED), { changed: true }, accident);
    assert.equal(sorted(list()), sorted(before), accident);
    assert.equal(await table.verify(), true, accident);
  }
});

kernelTest("tables of others stay as they are, bit for bit", async (t) => {
  shell(`nft -f - <<'END'
    add table ip nat
    add chain ip nat POSTROUTING { type nat hook postrouting priority srcnat ; }
    add rule ip nat POSTROUTING masquerade
    add table inet sluicer
    add set inet sluicer nodes { type ipv4_addr ; }
    add element inet sluicer nodes { 192.0.2.1 }
    add table ip sluice
    add chain ip sluice decide { type filter hook forward priority 0 ; }
    add rule ip sluice decide counter
END`);
  t.after(() => void shell("nft flush ruleset"));
  const before = shell("nft list ruleset");
  await openTable(t).apply(DATAPATH, SYNCED);
  assert.notEqual(shell("nft list ruleset"), before);
  await removeNftables(DEFAULT_SETTINGS);
  assert.equal(shell("nft list ruleset"), before);
  await removeNftables(DEFAULT_SETTINGS);
});
