import assert from "node:assert/strict";
import { test } from "node:test";
import { address, prefix } from "../../../test/support/sample-plan.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { KernelTexts } from "./ip-list.ts";
import { parseKernel } from "./ip-list.ts";

const NOTHING: KernelTexts = {
  links: "[]",
  routes: { IPv4: "[]", IPv6: "" },
  neighbours: "\n",
  bridgeEntries: "[]",
};
const read = (texts: Partial<Record<keyof KernelTexts, unknown>>) => {
  const { routes, ...lists } = texts;
  const plain = Object.entries(lists).map(([key, list]) => [key, JSON.stringify(list)]);
  const v4 = JSON.stringify(routes ?? []);
  const all = { ...NOTHING, routes: { ...NOTHING.routes, IPv4: v4 }, ...Object.fromEntries(plain) };
  return parseKernel(all as KernelTexts);
};
const LINKS = [
  { ifindex: 2, ifname: "br0", linkinfo: { info_kind: "bridge" } },
  { ifindex: 3, ifname: "v0", master: "br0", link_netnsid: 0, flags: ["UP", "LOWER_UP"] },
];

test("a link that says little has defaults, an address that is not the node's is left out", () => {
  const addr_info = [
    { local: "2001:db8::1", prefixlen: 64, scope: "global", dadfailed: true, tentative: true },
    { local: "2001:db8::2", prefixlen: 64, scope: "global", temporary: true },
    { local: "192.0.2.1", address: "192.0.2.2", prefixlen: 32, scope: "global" },
  ];
  const [link] = read({ links: [{ ifindex: 9, ifname: "ppp0", addr_info }, {}] }).links;
  assert.deepEqual(link, {
    ifindex: 9,
    name: "ppp0",
    altNames: [],
    kind: "",
    mac: "",
    mtu: 0,
    up: false,
    carrier: false,
    master: 0,
    peerElsewhere: false,
    addresses: [
      { address: address("2001:db8::2"), length: 64, scope: "global", secondary: true },
      { address: address("192.0.2.1"), length: 32, scope: "global", secondary: false },
    ],
  });
});

test("routes are the unicast ones of all tables but the local one", () => {
  const routes = [
    { dst: "default", gateway: "10.5.0.9", dev: "v0", table: "100", protocol: "83" },
    { type: "9", dst: "10.98.0.0/16", table: "100" },
    { type: "2", dst: "10.5.0.1", dev: "v0", table: "255", protocol: "2" },
    { dst: "10.1.0.0/16", from: "10.2.0.0/16", dev: "v0" },
    { dst: "10.5.0.7", dev: "v0", protocol: "2", metric: 7 },
    { dst: "10.6.0.0/16", via: { family: "inet6", host: "fe80::1" }, dev: "v0" },
    { dst: "10.97.0.0/16", nexthops: [{ gateway: "10.5.0.9", dev: "v0" }, { dev: "br0" }] },
  ];
  const found = read({ routes }).routes;
  assert.deepEqual(found[0], {
    family: "IPv4",
    destination: prefix("0.0.0.0/0"),
    device: "v0",
    via: address("10.5.0.9"),
    metric: 0,
    table: 100,
    protocol: 83,
  });
  assert.deepEqual(
    found.slice(1).map((one) => [one.destination, one.device, one.via, one.metric]),
    [
      [prefix("10.5.0.7/32"), "v0", undefined, 7],
      [prefix("10.6.0.0/16"), "v0", address("fe80::1"), 0],
      [prefix("10.97.0.0/16"), "v0", address("10.5.0.9"), 0],
      [prefix("10.97.0.0/16"), "br0", undefined, 0],
    ],
  );
  assert.deepEqual([found[1]?.table, found[2]?.protocol], [254, 3]);
});

test("neighbours and bridge entries are those that were learned", () => {
  const mac = "02:00:00:00:00:01";
  const neighbours = [
    { dst: "10.5.0.9", dev: "br0", lladdr: "02:00:00:00:00:0A", state: ["STALE"] },
    { dst: "10.5.0.8", dev: "br0", state: ["FAILED"] },
    { dst: "10.5.0.7", dev: "br0", lladdr: mac, state: ["FAILED"] },
    { dst: "10.5.0.6", dev: "gone", lladdr: mac, state: ["STALE"] },
  ];
  const bridgeEntries = [
    { mac, ifname: "v0", master: "br0", state: "" },
    { mac, ifname: "v0", master: "br0", vlan: 1, state: "" },
    { mac: "02:00:00:00:00:02", ifname: "v0", master: "br0", state: "permanent" },
    { mac: "33:33:00:00:00:01", ifname: "v0", flags: ["self"], state: "permanent" },
    { mac: "02:00:00:00:00:03", ifname: "v0", master: "br0", state: "static" },
  ];
  const state = read({ links: LINKS, neighbours, bridgeEntries });
  assert.deepEqual(state.neighbours, [
    { address: address("10.5.0.9"), ifindex: 2, mac: "02:00:00:00:00:0a" },
  ]);
  assert.deepEqual(state.bridgeEntries, [
    { mac, bridge: 2, port: 3 },
    { mac: "02:00:00:00:00:03", bridge: 2, port: 3 },
  ]);
  const [, port] = state.links;
  assert.deepEqual([port?.master, port?.peerElsewhere, port?.carrier], [2, true, true]);
});

test("output that is no JSON is the tool's failure", () => {
  assert.throws(() => parseKernel({ ...NOTHING, links: '[{"ifindex":' }), (error) => {
    return error instanceof OperationError && error.code === "ToolFailed";
  });
});
