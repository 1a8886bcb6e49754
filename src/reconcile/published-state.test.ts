import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAcknowledgement } from "../model/parse/acknowledgement.ts";
import { parseObject } from "../model/parse/object.ts";
import { parseAddress } from "../net/address.ts";
import type { Address } from "../net/address.ts";
import { parsePrefix } from "../net/prefix.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Row } from "../plan/row.ts";
import { RowDigest } from "../plan/row-digest.ts";
import { HeldRows } from "./held-rows.ts";
import { isPodLink, publishedStatus } from "./published-state.ts";

const address = (text: string) => parseAddress(text) as Address;
const prefix = (text: string) => parsePrefix(text) as Prefix;

function row(source: string, gateway: string, policy: string): Row {
  return {
    source: address(source),
    destination: prefix("203.0.113.0/24"),
    egressIP: address("0.0.0.0"),
    gatewayIP: address(gateway),
    ifindex: 0,
    policy,
  };
}

function sumsOf(wanted: readonly Row[], held: readonly Row[]) {
  const rows = new HeldRows();
  for (const one of wanted) rows.want(one);
  for (const one of held) rows.see(entry(one));
  return rows.sums();
}

/** The entry that a row becomes. */
function entry(one: Row) {
  const source = (one.source + String.fromCharCode(32)) as Prefix;
  return { ...one, source, egressIP: address("0.0.0.0"), ifindex: 0 };
}

test("what a node publishes is read back as it was [6.8]", () => {
  const state = {
    name: "node-a",
    interfaces: [
      { name: "lo", ifindex: 1, altNames: [], addresses: [] },
      {
        name: "eth0",
        ifindex: 2,
        altNames: ["enp1s0"],
        addresses: [address("192.0.2.7"), address("2001:db8::7")],
      },
    ],
    defaultRoutes: [{ family: "IPv4", interface: "eth0" } as const],
  };
  const rows = [row("10.0.0.1", "192.0.2.1", "partner"), row("10.0.0.2", "192.0.2.2", "partner")];
  const status = publishedStatus({
    state,
    ready: false,
    message: "why",
    versions: { sluice: "1", abi: "2", kernel: "3" },
    policies: [
      { name: "partner", generation: 4, message: "" },
      { name: "unused", generation: 1, message: "" },
    ],
    held: sumsOf(rows, rows),
  });
  const raw = {
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name: "node-a" },
    status: JSON.parse(JSON.stringify({ ...status, renewTime: "now" })),
  };
  const parsed = parseObject(raw);
  assert.equal(parsed.kind, "object");
  assert.deepEqual(parsed.change.issues, []);
  assert.deepEqual(parsed.change.value, state);
  const acknowledged = parseAcknowledgement(raw);
  assert.deepEqual([acknowledged?.ready, acknowledged?.message], [false, "why"]);
  const digest = new RowDigest();
  for (const one of [...rows].reverse()) digest.add(one);
  const partner = { name: "partner", generation: 4, message: "", ...digest.sum };
  assert.deepEqual(acknowledged?.policies.get("partner"), partner);
  assert.equal(acknowledged?.policies.get("unused")?.rows, 0);
});

test("the digest shows a missing row, another gateway and a swap, and no order", () => {
  const wanted = [row("10.0.0.1", "192.0.2.1", "p"), row("10.0.0.2", "192.0.2.2", "p")] as const;
  const sum = (rows: readonly Row[]) => sumsOf(wanted, rows).get("p");
  const whole = sum(wanted);
  assert.equal(whole?.rows, 2);
  assert.deepEqual(sum([...wanted].reverse()), whole);
  const [first, second] = wanted;
  const others = [
    [first],
    [first, { ...second, gatewayIP: first.gatewayIP }],
    [
      { ...first, gatewayIP: second.gatewayIP },
      { ...second, gatewayIP: first.gatewayIP },
    ],
  ];
  for (const rows of others) assert.notEqual(sum(rows)?.digest, whole?.digest);
  const stranger = row("10.0.0.9", "192.0.2.1", "p");
  assert.deepEqual(sum([...wanted, stranger]), whole, "entries that nobody wants do not count");
});

test("pods' devices are not published: they come and go with pods", () => {
  const link = (kind: string, peerElsewhere: boolean, ...texts: string[]) => ({
    ...{ ifindex: 3, name: "x", altNames: [], kind, mac: "", mtu: 1500, up: true, carrier: true },
    ...{ master: 0, peerElsewhere },
    addresses: texts.map((text) => {
      return { address: address(text), length: 32, scope: "global", secondary: false };
    }),
  });
  const pods = [prefix("10.244.1.0/24")];
  assert.ok(isPodLink(link("veth", true), pods));
  assert.ok(isPodLink(link("veth", true, "10.244.1.1", "fe80::1"), pods));
  assert.ok(isPodLink(link("netkit", true), pods));
  assert.ok(!isPodLink(link("veth", true, "10.244.1.1", "192.0.2.7"), pods), "a node's own");
  assert.ok(!isPodLink(link("veth", false), pods), "both ends are here");
  assert.ok(!isPodLink(link("", true), pods), "a network card");
});
