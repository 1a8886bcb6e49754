import assert from "node:assert/strict";
import { test } from "node:test";
import { address } from "../../test/support/sample-plan.ts";
import { bridgeKernel, link, route } from "../../test/support/sample-kernel.ts";
import { nodeStateOf } from "./node-state.ts";

const EMPTY = { links: [], routes: [], neighbours: [], bridgeEntries: [] };

test("primary addresses come first, in the kernel's order [6.1]", () => {
  const eth1 = link(3, "eth1", {
    altNames: ["enp7s0"],
    addresses: [
      ["192.0.2.11/24", { secondary: true }],
      ["192.0.2.10/24"],
      ["169.254.1.1/16", { scope: "link" }],
      ["198.51.100.1/24"],
      ["203.0.113.1/32", { scope: "link" }],
      ["fe80::1/64", { scope: "link" }],
      ["2001:db8::9/64", { secondary: true }],
      ["2001:db8::1/64"],
    ],
  });
  const lo = link(1, "lo", { addresses: [["127.0.0.1/8", { scope: "host" }], ["192.0.2.99/32"]] });
  const { name, interfaces } = nodeStateOf("gw-1", { ...EMPTY, links: [lo, eth1] });
  assert.equal(name, "gw-1");
  const first = { name: "lo", ifindex: 1, altNames: [], addresses: [address("192.0.2.99")] };
  const addresses = [
    "192.0.2.10",
    "198.51.100.1",
    "2001:db8::1",
    "192.0.2.11",
    "2001:db8::9",
    "203.0.113.1",
  ].map(address);
  assert.deepEqual(interfaces, [
    first,
    { name: "eth1", ifindex: 3, altNames: ["enp7s0"], addresses },
  ]);
});

test("default routes are those of the main table, the smallest metric first [6.3]", () => {
  const routes = [
    route("0.0.0.0/0", "eth2", { via: "192.0.2.1", table: 21_000 }),
    route("0.0.0.0/0", "eth1", { via: "192.0.2.1", metric: 100 }),
    route("10.0.0.0/8", "eth3"),
    route("0.0.0.0/0", "eth0", { via: "192.0.2.1", metric: 50 }),
    route("0.0.0.0/0", "eth4", { via: "192.0.2.1", metric: 50 }),
    route("::/0", "eth5", { via: "fe80::1", metric: 1024 }),
  ];
  assert.deepEqual(nodeStateOf("n", { ...EMPTY, routes }).defaultRoutes, [
    { family: "IPv4", interface: "eth0" },
    { family: "IPv4", interface: "eth4" },
    { family: "IPv4", interface: "eth1" },
    { family: "IPv6", interface: "eth5" },
  ]);
});

test("a node that has nothing has a state that says so [6.8]", () => {
  assert.deepEqual(nodeStateOf("n", EMPTY), { name: "n", interfaces: [], defaultRoutes: [] });
  assert.equal(nodeStateOf("n", bridgeKernel()).interfaces.length, bridgeKernel().links.length);
});
