// What happens to a node's links and addresses, and to the files that agents watch, while agents
// run: what appears works, what is gone drops and is counted, what is half written changes nothing.

import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pause } from "../../src/apps/lab/namespaces.ts";
import { BRIDGES, SERVER } from "../../src/apps/lab/topology.ts";
import { ROOT, temporaryFolder } from "../support/run-cli.ts";
import type { NodeOfLab } from "./lab-nodes.ts";
import { LabNodes, until } from "./lab-nodes.ts";
import type { RunLab } from "./make-lab.ts";
import { labSkip, makeLab, succeed } from "./make-lab.ts";

const skip = labSkip();
const SIZE = ["--workers", "1", "--gateways", "2", "--pods", "2"];

/** A lab whose pods run on the worker; pod-1 uses gateway-1, pod-2 uses gateway-2. */
function raise(lab: RunLab, cni: "ptp" | "bridge"): void {
  succeed(lab("up", "--ipv6", "--cni", cni, ...SIZE));
  // The last one came to a gateway.
  succeed(lab("pod", "delete", "pod-2"));
  succeed(lab("pod", "add", "pod-2", "worker-1"));
  succeed(lab("policy", "apply", "demo/policy.yaml"));
  succeed(lab("check"));
}

/** Which addresses the server sees of a pod's TCP, IPv4 first. */
async function seen(nodes: LabNodes, pod: string, patienceMs = 1500) {
  const probed = await nodes.probe(pod, patienceMs);
  return probed.filter(({ protocol }) => protocol === "TCP").map(({ address }) => address);
}

async function dropped(node: NodeOfLab, reason: string): Promise<number> {
  return (await node.counters())[reason] ?? NaN;
}

test("an egress IP that goes drops, one that comes works; so do devices [6.1, 6.2, 6.5, 6.7]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  raise(lab, "ptp");
  const nodes = new LabNodes(name);
  const gateway = nodes.node("gateway-2");
  const works = ["198.51.100.41", "2001:db8:100::41"];
  assert.deepEqual(await seen(nodes, "pod-2"), works);
  assert.equal(await dropped(gateway, "NoEgressIP"), 0);

  gateway.shell("ip address del 198.51.100.41/32 dev out0");
  await until("the drop", async () => (await seen(nodes, "pod-2")).join() === ",");
  assert.ok((await dropped(gateway, "NoEgressIP")) > 0);
  gateway.freeze();
  gateway.shell("ip address add 198.51.100.41/32 dev out0");
  assert.deepEqual(await seen(nodes, "pod-2"), [null, null], "the control: nobody saw it");
  gateway.thaw();
  await until("the egress IP", async () => (await seen(nodes, "pod-2")).join() === works.join());

  // A policy of a device that is not there yet.
  const policy = readFileSync(join(ROOT, "demo/policy.yaml"), "utf8");
  const file = join(temporaryFolder(t), "policy.yaml");
  const byDevice = policy.replace(/egressIP: 198.51.100.41/, "interface: ext0");
  writeFileSync(file, byDevice.replace(/, "::\/0"/, ""));
  succeed(lab("policy", "apply", file));
  await until("the drop", async () => (await seen(nodes, "pod-2"))[0] === null);
  const outside = nodes.place.path(BRIDGES.outside);
  gateway.shell(`ip link add ext0 type veth peer name ext-2
    ip link set ext-2 netns ${nodes.place.namespace(BRIDGES.outside)}
    nsenter --net=${outside} ip link set ext-2 master br0 up
    nsenter --net=${nodes.place.path(SERVER)} ip route add 203.0.113.0/24 dev out0
    ip address add 203.0.113.7/32 dev ext0; ip link set ext0 up
    ip route add default via 198.51.100.100 dev ext0 onlink metric 500`);
  await until("the device", async () => (await seen(nodes, "pod-2"))[0] === "203.0.113.7");
  succeed(lab("check"));
  gateway.shell("ip link del ext0");
  await until("the drop", async () => (await seen(nodes, "pod-2"))[0] === null);
});

test("links that go down and up, and a tunnel that somebody deletes, are served again [6.7]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  raise(lab, "bridge");
  const nodes = new LabNodes(name);
  const worker = nodes.node("worker-1");
  /** Down and up; then, as whoever set the device up would, what the kernel forgot meanwhile. */
  const flap = (node: NodeOfLab, device: string) => {
    const both = ["-4", "-6"];
    const routes = both.map((ip) => node.shell(`ip ${ip} route show dev ${device}`));
    const addresses = node.shell(`ip -6 -o address show dev ${device} scope global`);
    node.shell(`ip link set ${device} down; sleep 0.3; ip link set ${device} up`);
    for (const [, address = ""] of addresses.matchAll(/inet6 (\S+)/g)) {
      node.shell(`ip address replace ${address} dev ${device} nodad`);
    }
    for (const [i, ip] of both.entries()) {
      for (const line of (routes[i] ?? "").split("\n")) {
        if (line === "" || /proto kernel|^fe80|^ff00/.test(line)) continue;
        const route = line.replace(/ (linkdown|pref \S+)/g, "");
        node.shell(`ip ${ip} route replace ${route} dev ${device}`);
      }
    }
  };
  for (const [node, device] of [
    [nodes.node("gateway-2"), "out0"],
    [nodes.node("gateway-2"), "ul0"],
    [worker, "ul0"],
  ] as const) {
    flap(node, device);
    succeed(lab("check"));
  }
  // The device of a pod, which the bridge forgets and learns again.
  const port = /^\d+: (veth[^@:]+)/m.exec(worker.shell("ip -o link show type veth master cni0"));
  worker.shell(`ip link set ${port?.[1]} down; sleep 0.3; ip link set ${port?.[1]} up`);
  succeed(lab("check"));
  // The control: with nobody there to see it, nothing leaves any more.
  worker.freeze();
  for (const node of nodes.all) node.shell("ip link del sluice0");
  assert.deepEqual(await seen(nodes, "pod-1"), [null, null]);
  worker.thaw();
  succeed(lab("check"));
  for (const node of nodes.all) node.shell("ip link set sluice0 down");
  succeed(lab("check"));
});

test("a policy that is half written changes nothing, replaced as a whole it counts [2.3]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  raise(lab, "ptp");
  const nodes = new LabNodes(name);
  const file = join(nodes.place.objects, "ciliumegressgatewaypolicy-outside.json");
  const text = readFileSync(file, "utf8");
  const before = await Promise.all(nodes.all.map((node) => node.kernel()));
  for (const part of [text.slice(0, text.length / 2), "", `${text}{"kind": `]) {
    writeFileSync(file, part);
    await pause(400);
    const both = [await seen(nodes, "pod-1"), await seen(nodes, "pod-2")];
    assert.deepEqual(both.map(([address]) => address), ["198.51.100.31", "198.51.100.41"]);
  }
  assert.deepEqual(await Promise.all(nodes.all.map((node) => node.kernel())), before);
  writeFileSync(`${file}.draft`, text.replaceAll("198.51.100.41", "198.51.100.42"));
  renameSync(`${file}.draft`, file);
  succeed(lab("check"));
  assert.deepEqual(await seen(nodes, "pod-2"), ["198.51.100.42", "2001:db8:100::41"]);
});
