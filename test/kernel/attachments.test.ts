// Our programs at devices of the running kernel: put there, swapped, taken away, found again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { ABI_DIRECTORY, DATAPATH_MAPS, COUNTERS } from "../../src/reconcile/datapath-maps.ts";
import type { AttachOutcome } from "../../src/sinks/attachments.ts";
import { restorePins } from "../../src/sinks/program-maps.ts";
import type { Programs } from "../../src/sinks/programs.ts";
import { PROGRAM_NAMES, removePrograms } from "../../src/sinks/programs.ts";
import { ifindexOf, objectMissing, openNode, sampleDatapath } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell, startPod } from "./private-netns.ts";
import { pinForeignProgram } from "./raw-program.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(`programs ${title}`, { skip }, body);

let number = 0;
/** A folder of the bpffs, and devices that end with the test. */
function place(t: TestContext, devices: number) {
  const name = `at${++number}`;
  const names = Array.from({ length: devices }, (_, i) => `${name}-${i}`);
  for (const one of names) {
    shell(`ip link add ${one} type veth peer name ${one}p; ip link set ${one} up`);
  }
  t.after(() => names.forEach((one) => shell(`ip link del ${one} 2>/dev/null || true`)));
  return { directory: join(bpffs.directory, name), names, devices: names.map(ifindexOf) };
}

/** What happened, without what did not. */
function told({ failed, ...lists }: AttachOutcome): object {
  const happened = Object.entries(lists).filter(([, devices]) => devices.length > 0);
  const codes = failed.map(({ ifindex, error }) => [ifindex, error.code]);
  return { ...Object.fromEntries(happened), ...(codes.length > 0 ? { failed: codes } : {}) };
}

/** Names of the programs at a hook, in their order. */
function programsAt(device: string, direction = "ingress"): string[] {
  const filters = JSON.parse(
    shell(`tc -json filter show dev ${device} ${direction}`) || "[]",
  ) as { options?: { prog?: { name: string } } }[];
  return filters.flatMap(({ options }) => (options?.prog ? [options.prog.name] : []));
}

const hasClsact = (device: string) => shell(`tc qdisc show dev ${device}`).includes("clsact");

const { fromPod, toTunnel, fromTunnel } = PROGRAM_NAMES;
/** The kernel keeps 15 characters; tc shows more where it has BTF. */
const shown = (name: string) => name.slice(0, 15);
const atHook = (device: string, direction?: string) => programsAt(device, direction).map(shown);

kernelTest("are attached once, and taken from devices that are not wanted any more", async (t) => {
  const { directory, names, devices } = place(t, 3);
  const [tunnel = 0, one = 0, two = 0] = devices;
  const programs = await openNode(directory);
  t.after(() => programs.close());
  assert.deepEqual(told(programs.attach({ tunnel, pods: [one] })), { attached: [tunnel, one] });
  assert.deepEqual(atHook(names[0] as string), [shown(fromTunnel)]);
  assert.deepEqual(atHook(names[0] as string, "egress"), [shown(toTunnel)]);
  assert.deepEqual(atHook(names[1] as string), [shown(fromPod)]);
  assert.deepEqual(told(programs.attach({ tunnel, pods: [one] })), { unchanged: [tunnel, one] });
  assert.deepEqual(told(programs.attach({ tunnel, pods: [two] })), {
    ...{ attached: [two], unchanged: [tunnel], detached: [one] },
  });
  assert.deepEqual(atHook(names[1] as string), []);
  // Somebody took one away, and a device went.
  shell(`tc filter del dev ${names[2]} ingress; ip link del ${names[0]}`);
  assert.deepEqual(told(programs.attach({ tunnel, pods: [two] })), {
    ...{ attached: [two], vanished: [tunnel] },
  });
  shell(`ip link del ${names[2]}`);
  assert.deepEqual(told(programs.attach({ tunnel: 0, pods: [] })), {});
});

kernelTest("leave foreign filters alone and are not put in their place", async (t) => {
  const { directory, names, devices } = place(t, 2);
  const [first = "", second = ""] = names;
  const programs = await openNode(directory);
  t.after(() => programs.close());
  const foreign = join(directory, "foreign");
  pinForeignProgram(foreign);
  shell(`tc qdisc add dev ${first} clsact
    tc filter add dev ${first} ingress prio 1 handle 1 bpf da pinned ${foreign}
    tc filter add dev ${first} ingress prio 7 bpf da pinned ${foreign}`);
  programs.attach({ tunnel: 0, pods: devices });
  assert.deepEqual(atHook(first).sort(), ["foreign", "foreign", shown(fromPod)]);
  // Before whatever might end the chain.
  assert.equal(atHook(first)[0], shown(fromPod));
  assert.deepEqual(told(programs.attach({ tunnel: 0, pods: [] })), { detached: devices });
  assert.deepEqual(atHook(first), ["foreign", "foreign"]);

  shell(`tc filter add dev ${second} ingress prio 1 handle 0x51ce bpf da pinned ${foreign}`);
  assert.deepEqual(told(programs.attach({ tunnel: 0, pods: devices })), {
    attached: [devices[0]],
    failed: [[devices[1], "ForeignFilter"]],
  });
  programs.attach({ tunnel: 0, pods: [] });
  assert.deepEqual(atHook(second), ["foreign"]);
});

kernelTest("are attached where a plugin has made an ingress qdisc, too", async (t) => {
  const { directory, names, devices } = place(t, 1);
  shell(`tc qdisc add dev ${names[0]} ingress`);
  const programs = await openNode(directory);
  t.after(() => programs.close());
  assert.deepEqual(told(programs.attach({ tunnel: 0, pods: devices })), { attached: devices });
  assert.deepEqual(atHook(names[0] as string), [shown(fromPod)]);
  await removePrograms({ directory, devices });
  assert.match(shell(`tc qdisc show dev ${names[0]}`), /qdisc ingress/);
  assert.deepEqual(atHook(names[0] as string), []);
});

kernelTest("of an earlier life are found, replaced, and taken from where they hang", async (t) => {
  const { directory, devices } = place(t, 2);
  const [one = 0, two = 0] = devices;
  const before = await openNode(directory);
  await before.apply(sampleDatapath(one), { prune: true });
  before.attach({ tunnel: 0, pods: devices });
  before.close();
  const after = await openNode(directory, { devices });
  t.after(() => after.close());
  // What the maps know is not lost, and is right already.
  assert.equal((await after.gatewayIndexes()).length, 1);
  assert.equal((await after.egressIndexes()).length, 2);
  const outcomes = await after.apply(sampleDatapath(one), { prune: true });
  assert.ok(outcomes.every(({ written, deleted, failed }) => written + deleted + failed === 0));
  assert.deepEqual(told(after.attach({ tunnel: 0, pods: [one] })), {
    ...{ replaced: [one], detached: [two] },
  });
});

/** Packets that a pod sends while `work` is done again and again, and how many were counted. */
async function stream(t: TestContext, programs: Programs, device: string, work: () => void) {
  const pid = await startPod(t);
  shell(`ip link set ${device}p netns ${pid}
    nsenter --net=/proc/${pid}/ns/net sh -ec '
      echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
      ip addr add 10.0.1.77/24 dev ${device}p; ip link set ${device}p up
      ip neigh add 10.0.1.1 lladdr 02:00:00:00:00:01 dev ${device}p
      ip route add default via 10.0.1.1'`);
  const counted = async () => (await programs.counters()).get("NoRow") ?? 0;
  const before = await counted();
  const send = `const s = require("dgram").createSocket("udp4"); let n = 0;
    const go = () => { if (n === 30000) return s.close();
      for (let i = 0; i < 50; i++, n++) s.send("x", 9, "192.0.2.1");
      setImmediate(go); }; s.bind(go)`;
  const net = [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", send];
  const sender = spawn("nsenter", net, { stdio: "inherit" });
  const ended = new Promise((resolve) => sender.once("close", resolve));
  let rounds = 0;
  let sending = true;
  void ended.then(() => (sending = false));
  while (sending) {
    work();
    rounds++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await ended, 0);
  return { rounds, lost: 30000 - ((await counted()) - before) };
}

kernelTest("are swapped without a packet that goes by unseen [8.3]", async (t) => {
  const { directory, names, devices } = place(t, 2);
  const [one, two] = [await openNode(directory), await openNode(directory)];
  t.after(() => [one, two].forEach((programs) => programs.close()));
  one.attach({ tunnel: 0, pods: devices });
  const swapped = await stream(t, one, names[0] as string, () => {
    for (const programs of [two, one]) {
      assert.deepEqual(told(programs.attach({ tunnel: 0, pods: devices })), { replaced: devices });
    }
  });
  assert.ok(swapped.rounds > 20, `${swapped.rounds} rounds`);
  assert.equal(swapped.lost, 0);
  // The mechanism off: taken away, and put there again.
  const control = await stream(t, one, names[1] as string, () => {
    one.attach({ tunnel: 0, pods: [] });
    one.attach({ tunnel: 0, pods: devices });
  });
  assert.ok(control.lost > 0);
});

kernelTest("that are removed leave nothing, and others' filters as they were", async (t) => {
  const { directory, names, devices } = place(t, 3);
  const [first = "", second = "", third = ""] = names;
  const programs = await openNode(directory);
  programs.attach({ tunnel: devices[0] as number, pods: devices.slice(1, 2) });
  programs.close();
  const foreign = join(directory, "foreign");
  pinForeignProgram(foreign);
  shell(`tc filter add dev ${second} egress prio 7 bpf da pinned ${foreign}`);
  shell(`tc qdisc add dev ${third} clsact`);
  const gone = devices.with(2, 4711);
  await removePrograms({ directory, devices: [...devices, ...gone] });
  assert.deepEqual([first, second, third].map(hasClsact), [false, true, true]);
  assert.deepEqual([atHook(second), atHook(second, "egress")], [[], ["foreign"]]);
  assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith("sluice")), []);
  await removePrograms({ directory, devices });
});

kernelTest("whose pins were lost are found by what hangs at devices", async (t) => {
  const { directory, devices } = place(t, 2);
  const [one = 0] = devices;
  const before = await openNode(directory);
  await before.apply(sampleDatapath(one), { prune: true });
  before.attach({ tunnel: 0, pods: [one] });
  before.attach({ tunnel: devices[1] as number, pods: [one] });
  const where = { directory, policyMapDirectory: directory, devices };
  assert.deepEqual(restorePins(where), []);
  before.close();
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  const restored = restorePins(where);
  const ours = [...Object.values(DATAPATH_MAPS), COUNTERS].length;
  assert.equal(restored.length, ours + 2);
  const after = await openNode(directory, { devices });
  t.after(() => after.close());
  const outcomes = await after.apply(sampleDatapath(one), { prune: true });
  assert.ok(outcomes.every(({ written }) => written === 0));
  // Lost again, below a running agent: it pins what it has.
  rmSync(directory, { recursive: true });
  await after.apply(sampleDatapath(one), { prune: true });
  const pinned = readdirSync(join(directory, ABI_DIRECTORY));
  assert.equal(pinned.length, ours + Object.keys(PROGRAM_NAMES).length);
  assert.equal(restorePins(where).length, 2, "the policy maps are another's business");
  // Without it the maps would be new ones.
  rmSync(directory, { recursive: true });
  const empty = await openNode(directory);
  assert.equal((await empty.gatewayIndexes()).length, 0);
  empty.close();
});
