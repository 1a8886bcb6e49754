// Unit tests of a lab's addresses and of where its pods live.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceOf, LIMITS, nodeOfPod, planTopology } from "./topology.ts";
import type { LabOptions } from "./topology.ts";

const options: LabOptions = {
  name: "x",
  workers: 2,
  gateways: 3,
  pods: 6,
  ipv6: true,
  cni: "ptp",
  agents: true,
};

test("no two nodes of the largest lab share an address or a pod network", () => {
  const { nodes, server, second } = planTopology({ ...options, ...LIMITS, secondNic: true });
  const all = [
    ...server,
    ...second,
    ...nodes.flatMap((one) => [
      ...one.second,
      ...one.internal,
      ...one.outside,
      ...one.egress.flat(),
      ...one.podCIDRs,
    ]),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(nodes.length, LIMITS.workers + LIMITS.gateways);
});

test("without IPv6 nothing has an IPv6 address", () => {
  const text = JSON.stringify(planTopology({ ...options, ipv6: false, secondNic: true }));
  assert.doesNotMatch(text, /2001:|fd00:/);
});

test("pods are spread over the workers, the last one lives on a gateway", () => {
  const topology = planTopology(options);
  const places = [1, 2, 3, 4, 5, 6, 7].map((number) => nodeOfPod(topology, number).name);
  const workers = ["worker-1", "worker-2", "worker-1", "worker-2", "worker-1"];
  assert.deepEqual(places, [...workers, "gateway-1", "worker-1"]);
  const small = planTopology({ ...options, pods: 1 });
  assert.equal(nodeOfPod(small, 1).name, "worker-1");
});

test("only gateways have a second device, and only on demand", () => {
  const having = (secondNic: boolean) =>
    planTopology({ ...options, secondNic }).nodes.filter(({ second }) => second.length > 0);
  assert.deepEqual(having(false), []);
  assert.deepEqual(having(true).map(({ name }) => name), ["gateway-1", "gateway-2", "gateway-3"]);
  const [first] = having(true);
  assert.deepEqual(first?.second.map(deviceOf), ["out1", "out1"]);
  assert.deepEqual(first?.outside.map(deviceOf), ["out0", "out0"]);
});
