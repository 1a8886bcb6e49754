import assert from "node:assert/strict";
import { test } from "node:test";
import { address } from "../../test/support/sample-plan.ts";
import { bridgeKernel, macOf } from "../../test/support/sample-kernel.ts";
import type { KernelState } from "../net/kernel-state.ts";
import { addressesToProbe, findPodDevices } from "../reconcile/pod-devices.ts";
import { keepLearned } from "./learned-neighbours.ts";

const POD = address("10.244.1.2");
const silent: KernelState = { ...bridgeKernel(), neighbours: [], bridgeEntries: [] };
const portOf = (kernel: KernelState) => findPodDevices(kernel, [POD]).devices.get(POD)?.ifindex;

test("a silent pod stays where it was", () => {
  // The control: without memory it is lost, and has to be looked for.
  assert.equal(portOf(silent), undefined);
  assert.deepEqual(addressesToProbe(silent, [POD]), [POD]);
  const kept = keepLearned(bridgeKernel(), silent);
  assert.equal(portOf(kept), 4);
  assert.equal(portOf(keepLearned(kept, silent)), 4);
  const half = keepLearned(bridgeKernel(), { ...bridgeKernel(), bridgeEntries: [] });
  assert.deepEqual(half, bridgeKernel());
});

test("what is not a bridge's is forgotten with the kernel", () => {
  const kept = keepLearned(bridgeKernel(), silent);
  assert.deepEqual(kept.neighbours.filter(({ ifindex }) => ifindex !== 3), []);
});

test("a pod whose port left the bridge, or that moved, is not where it was", () => {
  const links = silent.links.map((one) => (one.ifindex === 4 ? { ...one, master: 0 } : one));
  assert.equal(portOf(keepLearned(bridgeKernel(), { ...silent, links })), undefined);
  const bridgeEntries = [{ mac: macOf(102), bridge: 3, port: 6 }];
  assert.equal(portOf(keepLearned(bridgeKernel(), { ...silent, bridgeEntries })), 6);
});

test("an address that passed to another MAC address does not go back", () => {
  const neighbours = [{ address: POD, ifindex: 3, mac: macOf(103) }];
  assert.equal(portOf(keepLearned(bridgeKernel(), { ...silent, neighbours })), 5);
});

test("somebody who makes addresses up is not remembered", () => {
  const flood = (count: number): KernelState => {
    const made = Array.from({ length: count }, (_, i) => `02:01:00:00:${i >> 8}:${i & 255}`);
    const neighbours = made.map((mac, i) => {
      return { address: address(`10.9.${i >> 8}.${i & 255}`), ifindex: 3, mac };
    });
    return {
      ...bridgeKernel(),
      neighbours,
      bridgeEntries: made.map((mac) => ({ mac, bridge: 3, port: 4 })),
    };
  };
  assert.equal(keepLearned(flood(2_000), silent).neighbours.length, 2_000);
  assert.equal(keepLearned(flood(20_000), silent), silent);
  // Nor are MAC addresses that no address has.
  const { bridgeEntries } = flood(10);
  assert.equal(keepLearned({ ...silent, bridgeEntries }, silent), silent);
});

test("where nothing is missing the state is the same object", () => {
  const now = bridgeKernel();
  assert.equal(keepLearned(bridgeKernel(), now), now);
});
