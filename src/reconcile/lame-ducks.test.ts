// Proves which rows a gateway keeps after it left a policy, and for how long.

import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../lib/assert.ts";
import { parseAddress } from "../net/address.ts";
import { parsePrefix } from "../net/prefix.ts";
import type { Row } from "../plan/row.ts";
import { EXCLUDED_GATEWAY } from "../plan/row.ts";
import { LAME_DUCK_MS, LameDucks } from "./lame-ducks.ts";

function row(source: string, destination = "0.0.0.0/0"): Row {
  return {
    source: present(parseAddress(source), source),
    destination: present(parsePrefix(destination), "prefix"),
    egressIP: present(parseAddress("192.0.2.1"), "egress IP"),
    gatewayIP: present(parseAddress("172.16.0.1"), "gateway"),
    ifindex: 0,
    policy: "p",
  };
}
const elsewhere = () => true;

test("a row that left stays for thirty seconds, with its egress IP [8.6]", () => {
  const ducks = new LameDucks();
  const [a, b] = [row("10.0.0.1"), row("10.0.0.2")];
  ducks.keep([a, b], { nowMs: 0, isElsewhere: elsewhere });
  assert.deepEqual(ducks.keep([b], { nowMs: 1, isElsewhere: elsewhere }), [a, b]);
  assert.equal(ducks.nextMs, 1 + LAME_DUCK_MS);
  const last = ducks.keep([b], { nowMs: LAME_DUCK_MS, isElsewhere: elsewhere });
  assert.deepEqual(last, [a, b]);
  const over = ducks.keep([b], { nowMs: LAME_DUCK_MS + 1, isElsewhere: elsewhere });
  assert.deepEqual(over, [b]);
  assert.equal(ducks.nextMs, undefined);
});

test("a longer prefix that left does not go before what covers it now [7.3, 8.6]", () => {
  const ducks = new LameDucks();
  const long = row("10.0.0.1", "203.0.113.0/24");
  const wide = row("10.0.0.1", "0.0.0.0/0");
  const other = row("10.0.0.2", "0.0.0.0/0");
  const excluded = { ...wide, gatewayIP: EXCLUDED_GATEWAY };
  ducks.keep([long], { nowMs: 0, isElsewhere: elsewhere });
  // An exclusion sends nobody here who has heard of it; others still need the row.
  assert.deepEqual(ducks.keep([excluded, other], { nowMs: 1, isElsewhere: elsewhere }), [
    ...[excluded, long, other],
  ]);
  assert.deepEqual(ducks.keep([wide, other], { nowMs: 2, isElsewhere: elsewhere }), [wide, other]);
});

test("a row that comes back is an ordinary one again", () => {
  const ducks = new LameDucks();
  const a = row("10.0.0.1");
  ducks.keep([a], { nowMs: 0, isElsewhere: elsewhere });
  ducks.keep([], { nowMs: 1, isElsewhere: elsewhere });
  assert.deepEqual(ducks.keep([a], { nowMs: 2, isElsewhere: elsewhere }), [a]);
  assert.deepEqual(ducks.rows(), []);
});

test("a row that an earlier process left stays too, from the start on [8.6]", () => {
  const [a, b] = [row("10.0.0.1"), row("10.0.0.2")];
  const ducks = new LameDucks([a, b]);
  assert.deepEqual(ducks.keep([b], { nowMs: 5, isElsewhere: elsewhere }), [a, b]);
  assert.equal(ducks.nextMs, 5 + LAME_DUCK_MS);
});

test("rows of endpoints that are gone, or that live here, do not stay [8.10]", () => {
  const ducks = new LameDucks();
  ducks.keep([row("10.0.0.1")], { nowMs: 0, isElsewhere: elsewhere });
  assert.deepEqual(ducks.keep([], { nowMs: 1, isElsewhere: () => false }), []);
});
