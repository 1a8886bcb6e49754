// The kernel as a source, on the running kernel: what changes in links, addresses, routes and
// neighbours is seen soon, and nothing is told twice.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readKernelState } from "../../src/drivers/kernel/ip-list.ts";
import { probeNeighbours } from "../../src/drivers/kernel/neighbour-probe.ts";
import type { OperationError } from "../../src/lib/operation-error.ts";
import type { KernelState, Link } from "../../src/net/kernel-state.ts";
import { addressesToProbe, findPodDevices } from "../../src/reconcile/pod-devices.ts";
import { watchKernel } from "../../src/sources/kernel-state.ts";
import { address } from "../support/sample-plan.ts";
import { enterPrivateNetns, shell, startPod } from "./private-netns.ts";

const skip = enterPrivateNetns();
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(title, { skip: skip ?? false }, body);

const SOON_MS = 1_000;

/** A watch whose states are kept, and how to wait for one. */
function watch(t: TestContext) {
  const states: KernelState[] = [];
  const errors: OperationError[] = [];
  let wake: () => void = () => undefined;
  const source = watchKernel({
    onState(state) {
      states.push(state);
      wake();
    },
    onError: (error) => errors.push(error),
  });
  t.after(() => source.close());
  /** Waits for a state that fits, one that is there already included. */
  const until = async (fits: (state: KernelState) => boolean): Promise<KernelState> => {
    const deadline = performance.now() + SOON_MS;
    for (;;) {
      const last = states.at(-1);
      if (last !== undefined && fits(last)) return last;
      const left = deadline - performance.now();
      if (left <= 0) return assert.fail(`not seen within ${SOON_MS} ms: ${fits}`);
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), sleep(left)]);
    }
  };
  return { source, states, errors, until };
}

/** Devices may be gone already, with the pod that had their other end. */
function remove(...names: string[]): void {
  for (const name of names) shell(`ip link del ${name} 2>/dev/null || true`);
}

function linkOf(state: KernelState, name: string): Link | undefined {
  return state.links.find((link) => link.name === name);
}

function has(state: KernelState, name: string, text: string): boolean {
  const addresses = linkOf(state, name)?.addresses ?? [];
  return addresses.some((one) => one.address === address(text));
}

kernelTest("an address that comes or goes is seen within a second [6.7]", async (t) => {
  shell("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up");
  t.after(() => remove("v0"));
  const { source, until, errors } = watch(t);
  await source.synced;
  await until((state) => linkOf(state, "v0")?.carrier === true);
  shell("ip address add 192.0.2.10/24 dev v0");
  await until((state) => has(state, "v0", "192.0.2.10"));
  shell("ip address add 192.0.2.11/24 dev v0; ip -6 address add 2001:db8::1/64 dev v0 nodad");
  const state = await until((one) => has(one, "v0", "2001:db8::1"));
  const v4 = linkOf(state, "v0")?.addresses.filter((one) => one.address.length === 4);
  assert.deepEqual(v4?.map(({ secondary }) => secondary), [false, true]);
  shell("ip address del 192.0.2.11/24 dev v0");
  await until((one) => !has(one, "v0", "192.0.2.11"));
  assert.deepEqual(errors, []);
});

kernelTest("links, alternative names and routes are seen as they are", async (t) => {
  shell(`ip link add v0 mtu 1400 type veth peer name v1; ip link set v0 up; ip link set v1 up
    ip link property add dev v0 altname a-name-that-is-longer-than-15
    ip address add 192.0.2.1/24 dev v0
    ip route add default via 192.0.2.254 metric 50
    ip route add 198.51.100.0/24 table 77 proto 83 \\
      nexthop via 192.0.2.253 dev v0 nexthop via 192.0.2.252 dev v0
    ip route add throw 198.51.100.0/25 table 77`);
  t.after(() => remove("v0"));
  const state = await readKernelState();
  const link = linkOf(state, "v0");
  assert.deepEqual([link?.kind, link?.mtu, link?.up, link?.carrier, link?.peerElsewhere], [
    "veth",
    1400,
    true,
    true,
    false,
  ]);
  assert.deepEqual(link?.altNames, ["a-name-that-is-longer-than-15"]);
  const v4 = state.routes.filter(({ family }) => family === "IPv4");
  assert.deepEqual(
    v4.map(({ table, metric, protocol, via }) => [table, metric, protocol, via]),
    [
      [77, 0, 83, address("192.0.2.253")],
      [77, 0, 83, address("192.0.2.252")],
      [254, 50, 3, address("192.0.2.254")],
      [254, 0, 2, undefined],
    ],
  );
});

kernelTest("a pod behind a bridge is found after a probe, and stays found", async (t) => {
  const pods = [await startPod(t), await startPod(t)];
  shell(`ip link add br0 type bridge; ip link set br0 up
    ip address add 10.5.0.1/24 dev br0`);
  t.after(() => remove("br0", "h0", "h1"));
  for (const [i, pid] of pods.entries()) {
    shell(`ip link add h${i} type veth peer name eth0 netns ${pid}
      ip link set h${i} master br0 up
      nsenter -t ${pid} -n sysctl -qw net.ipv6.conf.all.disable_ipv6=1
      nsenter -t ${pid} -n ip link set eth0 up
      nsenter -t ${pid} -n ip address add 10.5.0.${i + 2}/24 dev eth0`);
  }
  const pod = address("10.5.0.2");
  const { source, until } = watch(t);
  await source.synced;
  const before = await until((state) => linkOf(state, "h1")?.carrier === true);
  assert.equal(findPodDevices(before, [pod]).devices.size, 0);
  assert.deepEqual(addressesToProbe(before, [pod]), [pod]);
  await probeNeighbours([pod, address("2001:db8::5")]);
  const after = await until((state) => findPodDevices(state, [pod]).devices.size === 1);
  const ports = ["h0", "h1"].map((name) => linkOf(after, name)?.ifindex);
  const { devices, attach } = findPodDevices(after, [pod]);
  assert.deepEqual(devices.get(pod), { ifindex: ports[0], interface: "br0" });
  assert.deepEqual(attach, ports.sort());
  assert.deepEqual(addressesToProbe(after, [pod]), []);
  // What the bridge forgets, the watch does not.
  const { mac } = after.bridgeEntries[0] as { mac: string };
  shell(`bridge fdb del ${mac} dev h0 master`);
  shell("ip link set h1 mtu 1300");
  const later = await until((state) => linkOf(state, "h1")?.mtu === 1300);
  assert.equal((await readKernelState()).bridgeEntries.some((one) => one.mac === mac), false);
  assert.equal(findPodDevices(later, [pod]).devices.size, 1);
  shell("ip link set h0 nomaster");
  await until((state) => findPodDevices(state, [pod]).devices.size === 0);
});

kernelTest("a pod with a device of its own is found by its route, the uplink never", async (t) => {
  const [pod, router] = [await startPod(t), await startPod(t)];
  shell(`ip link add cali0 type veth peer name eth0 netns ${pod}
    ip link add up0 type veth peer name eth0 netns ${router}
    ip link set cali0 up; ip link set up0 up; ip address add 192.0.2.1/24 dev up0
    ip route add 10.6.0.2/32 dev cali0 scope link; ip route add default via 192.0.2.254`);
  t.after(() => remove("cali0", "up0"));
  const state = await readKernelState();
  const addresses = ["10.6.0.2", "192.0.2.7", "198.51.100.1"].map(address);
  const { devices, attach } = findPodDevices(state, addresses);
  const ifindex = linkOf(state, "cali0")?.ifindex;
  assert.deepEqual([...devices], [[addresses[0], { ifindex, interface: "cali0" }]]);
  assert.deepEqual(attach, [ifindex]);
});

kernelTest("neighbours' chatter and repeated events give no new state", async (t) => {
  const pod = await startPod(t);
  shell(`ip link add h0 type veth peer name eth0 netns ${pod}; ip link set h0 up
    ip address add 10.7.0.1/24 dev h0
    nsenter -t ${pod} -n sh -c 'ip link set eth0 up; ip address add 10.7.0.2/24 dev eth0'
    sleep 0.3; ping -c 1 -W 1 10.7.0.2`);
  t.after(() => remove("h0"));
  const { source, states, until } = watch(t);
  await source.synced;
  // Addresses of scope link come by themselves, once their detection of duplicates is over.
  await sleep(2_500);
  const count = states.length;
  shell(`for i in 1 2 3 4 5; do
      ip neighbour change 10.7.0.2 dev h0 nud delay; ip neighbour change 10.7.0.2 dev h0 nud stale
      ip link set h0 up
    done`);
  await sleep(300);
  assert.equal(states.length, count);
  // The control: another MAC address is news.
  shell("ip neighbour change 10.7.0.2 lladdr 02:00:00:00:00:02 dev h0 nud stale");
  await until((state) => state.neighbours.some(({ mac }) => mac === "02:00:00:00:00:02"));
  assert.ok(states.length > count);
});
