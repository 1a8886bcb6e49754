import assert from "node:assert/strict";
import { test } from "node:test";
import { address, prefix } from "../../test/support/sample-plan.ts";
import { present } from "../lib/assert.ts";
import type { Route } from "../net/kernel-state.ts";
import type { NodeDatapath } from "./datapath.ts";
import { DEFAULT_SETTINGS } from "./datapath.ts";
import { diffRouting, isOurRule, shiftsOf } from "./routing-diff.ts";
import { buildRouting } from "./routing.ts";

const settings = DEFAULT_SETTINGS;
const NOTHING = { rules: [], routes: [] };

const desired: NodeDatapath = {
  self: address("192.168.1.1"),
  nodes: [],
  clusterPrefixes: ["10.0.0.0/8", "192.168.1.0/24", "fd00::/16"].map(prefix),
  podPrefixes: ["10.244.0.0/16", "fd00:244::/32"].map(prefix),
  ownPodPrefixes: [],
  endpoints: [],
  gateways: [],
  egressIPs: [
    { index: 1, address: address("192.0.2.1"), device: "eth0" },
    { index: 2, address: address("203.0.113.1"), device: "eth1" },
    { index: 3, address: address("2001:db8::1"), device: "eth1" },
    { index: 4, address: address("203.0.113.4"), device: undefined },
  ],
  classified: [],
  selected: [],
  podDevices: [],
};

interface RouteText {
  readonly to: string;
  readonly dev: string;
  readonly via?: string;
  readonly metric?: number;
  readonly table?: number;
}

function route({ to, dev, via, metric = 0, table = 254 }: RouteText): Route {
  return {
    family: to.includes(":") ? "IPv6" : "IPv4",
    destination: prefix(to),
    device: dev,
    via: via === undefined ? undefined : address(via),
    metric,
    table,
    protocol: 4,
  };
}

const ROUTES = [
  { to: "0.0.0.0/0", dev: "eth0", via: "192.0.2.254" },
  { to: "203.0.113.0/24", dev: "eth1" },
].map(route);

/** The lines that make it from nothing. */
function lines(routes: readonly Route[], family: "IPv4" | "IPv6" = "IPv4"): readonly string[] {
  const wanted = buildRouting({ family, settings, desired, routes });
  return diffRouting({ family, settings, wanted, actual: NOTHING }).writes;
}

function routesOf(table: number, routes: readonly Route[]): string[] {
  return lines(routes)
    .filter((line) => line.includes(` table ${table} `) && line.startsWith("route"))
    .map((line) => line.replace(/^route replace (?:unicast )?/, "").replace(/ table .*/, ""));
}

test("policy traffic goes into the tunnel but for the cluster, answers to pods", () => {
  const whole = lines(ROUTES).filter((line) => !/ table (?:21018|25114) /.test(line));
  assert.deepEqual(whole, [
    "route replace throw 10.0.0.0/8 table 21000 proto 83",
    "route replace throw 192.168.1.0/24 table 21000 proto 83",
    "route replace unicast 0.0.0.0/0 dev sluice0 table 21000 proto 83",
    "route replace unicast 10.244.0.0/16 dev sluice0 table 21001 proto 83",
    "rule add priority 92 fwmark 0x1000/0x3000 table 21000 protocol 83",
    "rule add priority 91 fwmark 0x2000/0x3000 table 21001 protocol 83",
  ]);
  assert.deepEqual(lines([route({ to: "::/0", dev: "eth1" })], "IPv6"), [
    "route replace throw fd00::/16 table 21000 proto 83 metric 1024",
    "route replace unicast ::/0 dev sluice0 table 21000 proto 83 metric 1024",
    "route replace unicast fd00:244::/32 dev sluice0 table 21001 proto 83 metric 1024",
    "rule add priority 92 fwmark 0x1000/0x3000 table 21000 protocol 83",
    "rule add priority 91 fwmark 0x2000/0x3000 table 21001 protocol 83",
  ]);
});

test("an egress IP on another device than the default route's has that device's routes", () => {
  const all = lines(ROUTES);
  assert.ok(all.includes("rule add priority 90 fwmark 0x2002/0x3fff table 21018 protocol 83"));
  assert.ok(all.includes("rule add priority 90 fwmark 0x3002/0x3fff table 25114 protocol 83"));
  const linkOnly = ["10.244.0.0/16 dev sluice0", "203.0.113.0/24 dev eth1"];
  assert.deepEqual(routesOf(21018, ROUTES), linkOnly);
  const uplink = { to: "0.0.0.0/0", dev: "eth1", via: "203.0.113.254", metric: 9 };
  const second = [...ROUTES, route(uplink)];
  assert.deepEqual(routesOf(25114, second), [
    "throw 10.0.0.0/8",
    "throw 192.168.1.0/24",
    "0.0.0.0/0 via 203.0.113.254 dev eth1 onlink",
    "203.0.113.0/24 dev eth1",
  ]);
  // One without a device has none, and so has one on the default route's device.
  assert.ok(!all.some((line) => /0x3(?:001|004)/.test(line)));
});

test("of a device's routes the best for each destination counts, main table first", () => {
  const via = (last: number) => `203.0.113.${last}`;
  const routes = [
    ...ROUTES,
    { to: "0.0.0.0/0", dev: "eth1", via: via(1), metric: 20 },
    { to: "0.0.0.0/0", dev: "eth1", via: via(2), metric: 10, table: 100 },
    { to: "0.0.0.0/0", dev: "eth1", via: via(3), metric: 10 },
    { to: "0.0.0.0/0", dev: "eth1", via: via(4), metric: 0, table: 21018 },
    { to: "169.254.0.0/16", dev: "eth1" },
    { to: "10.9.0.0/16", dev: "eth1" },
    { to: "198.18.0.0/15", dev: "eth2" },
  ].map((one) => ("family" in one ? one : route(one)));
  assert.deepEqual(routesOf(21018, routes), [
    "10.244.0.0/16 dev sluice0",
    `0.0.0.0/0 via ${via(3)} dev eth1 onlink`,
    "203.0.113.0/24 dev eth1",
  ]);
});

test("a route by another family's router says so", () => {
  const routes = [...ROUTES, route({ to: "0.0.0.0/0", dev: "eth1", via: "fe80::1", metric: 9 })];
  assert.ok(routesOf(21018, routes).includes("0.0.0.0/0 via inet6 fe80::1 dev eth1 onlink"));
});

test("only differences are written, and a replaced route is not deleted", () => {
  const family = "IPv4";
  const wanted = buildRouting({ family, settings, desired, routes: ROUTES });
  const unchanged = diffRouting({ family, settings, wanted, actual: wanted });
  assert.deepEqual(unchanged, { writes: [], deletes: [] });
  const rules = wanted.rules.map((rule, i) => (i === 0 ? { ...rule, table: 21007 } : rule));
  const routes = wanted.routes.map((one, i) => (i === 0 ? { ...one, device: "eth7" } : one));
  const stray = { ...present(routes[0], "a route"), destination: prefix("198.18.0.0/15") };
  const actual = { rules, routes: [...routes, stray] };
  const { writes, deletes } = diffRouting({ family, settings, wanted, actual });
  assert.deepEqual(writes, [
    "route replace throw 10.0.0.0/8 table 21000 proto 83",
    "rule add priority 92 fwmark 0x1000/0x3000 table 21000 protocol 83",
  ]);
  assert.deepEqual(deletes, [
    "rule del priority 92 fwmark 0x1000/0x3000 table 21007 protocol 83",
    "route del unicast 198.18.0.0/15 dev eth7 table 21000 proto 83",
  ]);
});

test("a rule is ours by its priority, and tells where the bits are that it looks at", () => {
  const rule = { priority: 91, mark: 0x1000, mask: 0x3000, table: 1 };
  assert.equal(isOurRule(settings, rule), true);
  assert.equal(isOurRule(settings, { ...rule, priority: 121, mask: 0x3fff }), true);
  assert.equal(isOurRule(settings, { ...rule, priority: 122 }), false);
  assert.equal(isOurRule(settings, { ...rule, priority: 89 }), false);
  const masks = [0xc0000000, 0x3fff, 0x3000, 0xffffffff];
  assert.deepEqual(shiftsOf(masks.map((mask) => ({ ...rule, mask }))), [0, 18]);
});
