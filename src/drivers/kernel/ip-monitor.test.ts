import assert from "node:assert/strict";
import { test } from "node:test";
import { MonitorLines } from "./ip-monitor.ts";

test("links, addresses and routes are news, whole lines only", () => {
  const lines = new MonitorLines();
  assert.equal(lines.push("[LINK]4: v0@if3: <BROADCAST> mtu"), false);
  assert.equal(lines.push(" 1500\n[ADDR]4: v0    inet"), true);
  assert.equal(lines.push(" 192.0.2.1/24 scope global v0\n"), true);
  assert.equal(lines.push("[ROUTE]Deleted 10.5.0.0/24 dev br0 proto kernel \n"), true);
});

test("a neighbour is news when its MAC address is another one", () => {
  const lines = new MonitorLines();
  const said = (line: string) => lines.push(`[NEIGH]${line} \n`);
  assert.equal(said("10.5.0.9 dev br0 lladdr 02:00:00:00:00:01 REACHABLE"), true);
  for (const state of ["STALE", "DELAY", "PROBE", "REACHABLE"]) {
    assert.equal(said(`10.5.0.9 dev br0 lladdr 02:00:00:00:00:01 ${state}`), false, state);
  }
  assert.equal(said("10.5.0.9 dev br1 lladdr 02:00:00:00:00:01 STALE"), true);
  assert.equal(said("10.5.0.9 dev br0 lladdr 02:00:00:00:00:02 STALE"), true);
  assert.equal(said("10.5.0.9 dev br0  FAILED"), true);
  assert.equal(said("10.5.0.9 dev br0  FAILED"), false);
  assert.equal(said("fe80::1 dev br0 lladdr 02:00:00:00:00:02 router STALE"), true);
  assert.equal(said("Deleted fe80::1 dev br0 lladdr 02:00:00:00:00:02 router STALE"), true);
  assert.equal(said("Deleted ff02::16 dev br0 lladdr 33:33:00:00:00:16 NOARP"), false);
  assert.equal(said("miss 10.5.0.7 dev br0  STALE"), false);
});

test("a bridge's entry is news each time", () => {
  const lines = new MonitorLines();
  const entry = "[NEIGH]dev v0 lladdr 02:00:00:00:00:01 REACHABLE \n";
  assert.equal(lines.push(entry), true);
  assert.equal(lines.push(entry), true);
});
