// The sink of tunnel device, rules, routes and settings on the running kernel.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { deleteFlowsFrom } from "../../src/drivers/kernel/conntrack.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import type { Link } from "../../src/net/kernel-state.ts";
import { openNetwork, removeNetwork } from "../../src/sinks/network.ts";
import { openNftables, removeNftables } from "../../src/sinks/nftables.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { local, openRouting, startNode, STARTING, SYNCED, tunnel } from "./node.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { DATAPATH, KERNEL, Router, SIDES, snapshot } from "./router.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const skip = enterPrivateNetns();
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(title, { skip: skip ?? false }, body);
const settings = DEFAULT_SETTINGS;
const UNCHANGED = { written: 0, deleted: 0 };

kernelTest("a node that is uninstalled is as it was before", async (t) => {
  await Router.start(t);
  const options = { settings, stateDirectory: temporaryDirectory(t) };
  // Neighbours of ours, which are not ours.
  shell(`
    ip rule add priority 91 fwmark 0x4000/0x4000 table 100
    ip rule add priority 95 fwmark 0x1000/0x3000 from 192.0.2.0/24 table 101
    ip -6 rule add priority 130 fwmark 0x1000/0x3000 table 100
    ip route add 192.0.2.64/26 dev out1 table 21000
    ip route add 192.0.2.128/26 dev out1 proto 83
    ip link add sluice1 type vxlan external dstport 8888`);
  t.after(() => {
    shell(`ip rule del priority 91; ip rule del priority 95; ip -6 rule del priority 130
      ip link del sluice1`);
  });
  const before = snapshot();
  const network = openNetwork(options);
  await network.ensureTunnel(1500, []);
  await network.apply(DATAPATH, KERNEL, SYNCED);
  await openNftables(settings).apply(DATAPATH, SYNCED);
  assert.notEqual(snapshot(), before);
  assert.match(shell("ip rule"), /fwmark 0x2002\/0x3fff lookup 21018/);
  await removeNftables(settings);
  await removeNetwork(options);
  assert.equal(snapshot(), before);
  await removeNftables(settings);
  await removeNetwork(options);
  assert.equal(snapshot(), before);
});

kernelTest("a restart changes nothing", async (t) => {
  await Router.start(t);
  const options = { settings, stateDirectory: temporaryDirectory(t) };
  t.after(() => removeNetwork(options));
  const first = openNetwork(options);
  const ifindex = await first.ensureTunnel(1500, []);
  assert.notDeepEqual(await first.apply(DATAPATH, KERNEL, SYNCED), UNCHANGED);
  assert.deepEqual(await first.apply(DATAPATH, KERNEL, SYNCED), UNCHANGED);
  const before = snapshot();
  const second = openNetwork(options);
  assert.equal(await second.ensureTunnel(1500, []), ifindex);
  assert.deepEqual(await second.apply(DATAPATH, KERNEL, STARTING), UNCHANGED);
  assert.deepEqual(await second.apply(DATAPATH, KERNEL, SYNCED), UNCHANGED);
  assert.equal(snapshot(), before);
});

kernelTest("what nobody wants goes when all sources are synced, not before [7.8]", async (t) => {
  await Router.start(t);
  const network = openRouting(t);
  await network.ensureTunnel(1500, []);
  await network.apply(DATAPATH, KERNEL, SYNCED);
  const little = {
    ...DATAPATH,
    egressIPs: [],
    clusterPrefixes: ["10.0.0.0/8", "fd00::/16"].map(prefix),
  };
  assert.deepEqual(await network.apply(little, KERNEL, STARTING), { written: 2, deleted: 0 });
  assert.match(shell("ip rule"), /lookup 25114/);
  const { written, deleted } = await network.apply(little, KERNEL, SYNCED);
  assert.deepEqual([written, deleted > 10], [0, true]);
  assert.doesNotMatch(shell("ip rule; ip -6 rule"), /lookup (?:21018|25114|21020|25116)/);
  assert.equal(shell("ip route show table 25114"), "");
  assert.equal(shell("sysctl -n net.ipv4.conf.out1.src_valid_mark").trim(), "0");
  assert.deepEqual(await network.apply(little, KERNEL, SYNCED), UNCHANGED);
});

kernelTest("what somebody else removes or changes is put right", async (t) => {
  await Router.start(t);
  const network = openRouting(t);
  await network.ensureTunnel(1500, []);
  await network.apply(DATAPATH, KERNEL, SYNCED);
  const before = snapshot();
  shell(`
    ip rule del priority 92; ip -6 rule del priority 91
    ip route flush table 21000; ip -6 route flush table 21001
    ip route replace 10.244.0.0/16 dev out0 table 21001 proto 83
    ip route add 198.18.0.0/15 dev out0 table 21001 proto 83
    sysctl -qw net.ipv4.conf.sluice0.src_valid_mark=0 net.ipv4.conf.out1.src_valid_mark=0
    ip link set sluice0 mtu 1400`);
  // What was right is not read again, until somebody doubts.
  assert.deepEqual(await network.apply(DATAPATH, KERNEL, SYNCED), { written: 1, deleted: 0 });
  network.doubt();
  await network.ensureTunnel(1500, []);
  await network.apply(DATAPATH, KERNEL, SYNCED);
  assert.equal(snapshot(), before);
  // Routes go with the device, and the kernel says so of the device alone.
  shell("ip link del sluice0");
  const ifindex = await network.ensureTunnel(1500, []);
  const links = [{ ...TUNNEL_LINK, ifindex }];
  await network.apply(DATAPATH, { ...KERNEL, links }, SYNCED);
  assert.equal(withoutNames(snapshot()), withoutNames(before));
});

const TUNNEL_LINK: Link = {
  ...{ ifindex: 0, name: "sluice0", altNames: [], kind: "vxlan", mac: "", mtu: 1450, up: true },
  ...{ carrier: true, master: 0, peerElsewhere: false, addresses: [] },
};

/** A device that was made anew has another MAC address, and is another device. */
function withoutNames(text: string): string {
  return text.replaceAll(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g, "MAC");
}

kernelTest("a tunnel device of ours is repaired, and keeps its ifindex", async (t) => {
  const network = openRouting(t);
  const ifindex = await network.ensureTunnel(1500, []);
  shell("ip link set sluice0 down; ip link set sluice0 arp on mtu 9000");
  assert.equal(await network.ensureTunnel(1400, []), ifindex);
  const shown = shell("ip -d link show sluice0");
  assert.match(shown, /NOARP,UP/);
  assert.match(shown, /mtu 1350/);
  assert.match(shown, /vxlan external.*dstport 8473 nolearning/);
  assert.equal(shell("ip address show dev sluice0 | grep inet || true"), "");
  // The port cannot be changed in place.
  const other = openRouting(t, { tunnelPort: 9999 });
  assert.notEqual(await other.ensureTunnel(1500, []), ifindex);
  assert.match(shell("ip -d link show sluice0"), /dstport 9999/);
});

kernelTest("a device or a port of others is refused, with the remedy", async (t) => {
  shell("ip link add sluice0 type bridge; ip link add other type vxlan external dstport 7000");
  t.after(() => {
    shell("ip link del sluice0 2>/dev/null || true; ip link del other");
  });
  const network = openRouting(t);
  await assert.rejects(network.ensureTunnel(1500, []), { code: "ForeignDevice", remedy: /rename/ });
  await removeNetwork({ settings, stateDirectory: temporaryDirectory(t) });
  assert.match(shell("ip -d link show sluice0"), /bridge/);
  const taken = openRouting(t, { tunnelDevice: "sluice2", tunnelPort: 7000 });
  const remedy = /--tunnel-port/;
  await assert.rejects(taken.ensureTunnel(1500, []), { code: "PortTaken", remedy });
});

kernelTest("a missing tool is named, with the remedy", async (t) => {
  const { PATH } = process.env;
  t.after(() => (process.env["PATH"] = PATH));
  process.env["PATH"] = "/nonexistent";
  const missing = { code: "MissingTool", remedy: /install iproute2, nftables and conntrack/ };
  const network = openNetwork({ settings, stateDirectory: temporaryDirectory(t) });
  await assert.rejects(network.ensureTunnel(1500, []), missing);
  await assert.rejects(openNftables(settings).apply(DATAPATH, SYNCED), missing);
  await assert.rejects(network.forget([address("192.0.2.1")]), missing);
});

kernelTest("a setting is restored by a later process, unless somebody changed it", async (t) => {
  await Router.start(t);
  const path = "net.ipv4.conf.out1.src_valid_mark";
  const stateDirectory = join(temporaryDirectory(t), "made", "later");
  const options = { settings, stateDirectory };
  t.after(() => removeNetwork(options));
  const first = openNetwork(options);
  await first.ensureTunnel(1500, []);
  await first.apply(DATAPATH, KERNEL, SYNCED);
  const remembered = readFileSync(join(stateDirectory, "sysctls.json"), "utf8");
  assert.deepEqual(JSON.parse(remembered), { "net/ipv4/conf/out1/src_valid_mark": "0" });
  await openNetwork(options).apply(DATAPATH, KERNEL, SYNCED);
  await removeNetwork(options);
  assert.equal(shell(`sysctl -n ${path}`).trim(), "0");
  // It was set before: not ours to take back.
  shell(`sysctl -qw ${path}=1`);
  const second = openNetwork(options);
  await second.ensureTunnel(1500, []);
  await second.apply(DATAPATH, KERNEL, SYNCED);
  await removeNetwork(options);
  assert.equal(shell(`sysctl -n ${path}`).trim(), "1");
});

kernelTest("flows of policies end with what carried them, others stay", async (t) => {
  const { router } = await startNode(t);
  const list = "conntrack -L -p udp 2>/dev/null | grep -c 'dport=2[01]' || true";
  const flows = () => shell(list).trim();
  router.propose(tunnel(1));
  await router.openFlow(t, "198.51.100.2", 20).send();
  shell("nft add rule inet foreign bits ct state new ct mark set 0x12340000");
  router.propose(undefined);
  await router.openFlow(t, "198.51.100.2", 21).send();
  assert.equal(flows(), "2");
  await removeNftables(settings);
  await removeNetwork({ settings, stateDirectory: temporaryDirectory(t) });
  assert.equal(flows(), "1");
  assert.match(shell("conntrack -L 2>/dev/null"), /dport=21 .*mark=305397760/);
});

kernelTest("an agent that has its marks elsewhere ends what bears the old ones", async (t) => {
  const { router } = await startNode(t);
  const flows = () => shell("conntrack -L -p udp 2>/dev/null | grep -c dport=20 || true").trim();
  router.propose(tunnel(1));
  await router.openFlow(t, "198.51.100.2", 20).send();
  const moved = openRouting(t, { markShift: 8 });
  await moved.apply(DATAPATH, KERNEL, STARTING);
  assert.equal(flows(), "1");
  assert.match(shell("ip rule"), /\/0x3000 lookup/);
  await moved.apply(DATAPATH, KERNEL, SYNCED);
  assert.equal(flows(), "0");
  assert.doesNotMatch(shell("ip rule; ip -6 rule"), /\/0x3(000|fff) lookup/);
});

kernelTest("forgetting an address without flows is no error [8.10]", async () => {
  await deleteFlowsFrom(address("192.0.2.77"), () => true);
  await deleteFlowsFrom(address("2001:db8::77"), () => true);
});

kernelTest("of an address only flows to the outside are forgotten [8.1, 8.10]", async (t) => {
  const { network } = await startNode(t);
  const pod = "10.244.1.5";
  const add = (to: string) => `conntrack -I -p udp -s ${pod} -d ${to} --sport 1 --dport 2 -t 60`;
  const flows = () => shell(`conntrack -L -s ${pod} 2>/dev/null`).match(/src=\S+5 dst=\S+/g);
  const outside = (count: number) => Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`);
  const fill = (count: number) => {
    const all = ["10.244.2.7", "10.96.0.1", ...outside(count)];
    shell(all.map((to) => `${add(to)} 2>/dev/null`).join("\n"));
  };
  fill(3);
  assert.equal(flows()?.length, 5);
  const { clusterPrefixes: inside } = DATAPATH;
  await network.forget([address(pod)], { inside });
  assert.deepEqual(flows()?.map((one) => one.split("dst=")[1]).sort(), ["10.244.2.7", "10.96.0.1"]);
  shell("conntrack -F 2>/dev/null");
  // With so many that finding each takes too long, all go.
  fill(65);
  await network.forget([address(pod)], { inside });
  assert.equal(flows(), null);
});

for (const { family, ip, far } of SIDES) {
  const second = family === "IPv4" ? 2 : 4;
  const egress = family === "IPv4" ? "203.0.113.31" : "2001:db8:113::31";

  kernelTest(`an egress IP on another device leaves by that device, ${family}`, async (t) => {
    const { router } = await startNode(t);
    router.propose(local(second));
    const seen = router.watch(
      `oifname out1 ${ip} saddr ${egress} tcp flags syn`,
      `oifname out0 ${ip} daddr ${far}`,
    );
    assert.equal(router.connects(far), true);
    assert.deepEqual(seen(), [1, 0]);
    if (family === "IPv6") return;
    // The control: strict rp_filter does not know the way back without the mark.
    shell("sysctl -qw net.ipv4.conf.out1.src_valid_mark=0");
    assert.equal(router.connects(far), false);
  });
}
