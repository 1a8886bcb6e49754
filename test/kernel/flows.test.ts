// Flows that outlive the plan they began with, and packets that are not what they say: our nftables
// table and real packets.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { address } from "../support/sample-plan.ts";
import { dropped, local, startNode, SYNCED, tunnel } from "./node.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { sendPackets, udpBytes } from "./raw-packets.ts";
import { DATAPATH, SIDES } from "./router.ts";

const skip = enterPrivateNetns();
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(title, { skip: skip ?? false }, body);

for (const { family, ip, pod, outside, egress, far } of SIDES) {
  const own = family === "IPv4" ? 1 : 3;
  const ways = [
    `oifname sluice0 ${ip} saddr ${pod}`,
    `oifname out0 ${ip} saddr ${egress} udp dport { 20, 21 }`,
  ];

  kernelTest(`a flow stays, new ones follow the plan, ${family} [8.5]`, async (t) => {
    const { router, table } = await startNode(t);
    const seen = router.watch(...ways);
    router.propose(local(own));
    const old = router.openFlow(t, outside, 20);
    await old.send();
    assert.deepEqual(seen(), [0, 1]);
    router.propose(tunnel(1));
    await old.send();
    assert.deepEqual(seen(), [0, 2]);
    const other = router.openFlow(t, outside, 21);
    await other.send();
    assert.deepEqual(seen(), [1, 2]);
    // Its rows went: it stays in the tunnel.
    router.propose(undefined);
    await other.send();
    assert.deepEqual(seen(), [2, 2]);
    assert.deepEqual(await dropped(table), {});
    // Its gateway is known no more.
    await table.apply({ ...DATAPATH, gateways: [] }, SYNCED);
    await other.send();
    assert.deepEqual(seen(), [2, 2]);
    assert.deepEqual(await dropped(table), { UnknownGateway: 1 });
  });

  kernelTest(`a new policy leaves flows on the direct path, ${family} [8.5]`, async (t) => {
    const { router, table } = await startNode(t);
    const seen = router.watch(...ways);
    const old = router.openFlow(t, outside, 20);
    await old.send();
    assert.deepEqual(seen(), [0, 1]);
    // Nobody has answered: for connection tracking it is still a new one.
    router.propose(tunnel(1));
    await old.send();
    assert.deepEqual(seen(), [0, 2]);
    await router.openFlow(t, outside, 21).send();
    assert.deepEqual(seen(), [1, 2]);
    assert.deepEqual(await dropped(table), {});
  });

  kernelTest(`a node's error leaves as the flow does, ${family} [8.8]`, async (t) => {
    const { router, table } = await startNode(t);
    // By the device that is not the default route's, and the answer is too big for the pod's.
    router.propose(local(own + 1));
    shell("ip link set pod0 mtu 1280");
    const [second, tooBig] =
      family === "IPv4"
        ? ["203.0.113.31", "icmp type destination-unreachable"]
        : ["2001:db8:113::31", "icmpv6 type packet-too-big"];
    const seen = router.watch(
      `oifname out1 ${ip} saddr ${second} ${tooBig}`,
      `oifname out0 ${ip} daddr ${far} ${tooBig}`,
    );
    const request = { from: pod, to: far, protocol: 17, payload: udpBytes(40_000, 20) };
    sendPackets(router.podNamespace, [request]);
    const payload = udpBytes(20, 40_000, 1300);
    const answer = { from: far, to: second, protocol: 17, payload, fragment: 0x4000 };
    sendPackets(router.outsideNamespace, [answer]);
    assert.deepEqual([seen(), await dropped(table)], [[1, 0], {}]);
    // The control: without the chain it takes the default route.
    shell("nft flush chain inet sluice decide_error");
    sendPackets(router.outsideNamespace, [answer]);
    assert.deepEqual(seen(), [1, 1]);
  });

  kernelTest(`a flow that is forgotten begins anew, ${family} [8.10]`, async (t) => {
    const { router, network } = await startNode(t);
    const seen = router.watch(...ways);
    router.propose(local(own));
    const flow = router.openFlow(t, outside, 20);
    await flow.send();
    router.propose(tunnel(1));
    // The control: forgetting others changes nothing.
    await network.forget([address("10.244.1.6"), address("fd00:244:1::6")]);
    await flow.send();
    assert.deepEqual(seen(), [0, 2]);
    await network.forget([address(pod)]);
    await flow.send();
    assert.deepEqual(seen(), [1, 2]);
  });
}

kernelTest("only nodes may send to the tunnel [8.9]", async (t) => {
  const { router, table } = await startNode(t);
  router.sendsFromOutside("198.51.100.31", 8473);
  router.sendsFromOutside("2001:db8:100::31", 8473);
  assert.deepEqual(await dropped(table), { TunnelIntruder: 2 });
  // A service that ends at the tunnel's port.
  shell(`nft -f - <<'END'
    add chain inet cni services { type nat hook prerouting priority dstnat ; }
    add rule inet cni services ip daddr 10.96.0.1 udp dport 9 dnat ip to 198.51.100.31:8473
END`);
  router.sends("10.96.0.1");
  assert.deepEqual(await dropped(table), { TunnelIntruder: 3 });
  // The control: a node may, by IPv4.
  const nodes = [address("198.51.100.2")];
  await table.apply({ ...DATAPATH, nodes, self: address("198.51.100.31") }, SYNCED);
  router.sendsFromOutside("198.51.100.31", 8473);
  assert.deepEqual(await dropped(table), { TunnelIntruder: 3 });
  // But not at another address of this one: a masqueraded pod has its node's.
  await table.apply({ ...DATAPATH, nodes }, SYNCED);
  router.sendsFromOutside("198.51.100.31", 8473);
  assert.deepEqual(await dropped(table), { TunnelIntruder: 4 });
});

kernelTest("the tunnel's packets take no room in connection tracking", async (t) => {
  const { router, table } = await startNode(t);
  const nodes = ["198.51.100.2", "198.51.100.31"].map(address);
  await table.apply({ ...DATAPATH, self: address("198.51.100.31"), nodes }, SYNCED);
  // The control: packets to the port beside it.
  for (const port of [8474, 8473]) {
    shell("conntrack -F 2>/dev/null");
    router.sendsFromOutside("198.51.100.31", port);
    shell(`bash -c 'echo > /dev/udp/198.51.100.2/${port}'`);
    const tracked = shell(`conntrack -L -p udp --dport ${port} 2>/dev/null`).trim().split("\n");
    assert.equal(tracked.filter((line) => line !== "").length, port === 8473 ? 0 : 2);
  }
});

kernelTest("a pod does not reach another node's tunnel [8.9]", async (t) => {
  const { router, table } = await startNode(t);
  const seen = router.watch("ip daddr 172.20.0.12 udp dport { 8473, 8474 }");
  router.sends("172.20.0.12", 8473);
  assert.deepEqual([seen(), await dropped(table)], [[0], { TunnelIntruder: 1 }]);
  router.sends("172.20.0.12", 8474);
  assert.deepEqual(seen(), [1]);
});

kernelTest("a pod does not pass for a node, whatever rp_filter is [8.9]", async (t) => {
  const { router, table } = await startNode(t, { ...DATAPATH, self: address("198.51.100.31") });
  shell("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.pod0.rp_filter=0");
  router.inPod(`ip address add 172.20.0.12/32 dev eth0
    ip route add 198.51.100.31 via 10.244.1.1 src 172.20.0.12`);
  router.sends("198.51.100.31", 8473);
  assert.deepEqual(await dropped(table), { TunnelIntruder: 1 });
  // The control: where the way back leads to the sender, it is that node.
  shell("ip route add 172.20.0.12 dev pod0");
  router.sends("198.51.100.31", 8473);
  assert.deepEqual(await dropped(table), { TunnelIntruder: 1 });
});

kernelTest("TCP is told the tunnel's room, in both directions", async (t) => {
  const { router } = await startNode(t);
  const seen = router.watch(
    "oifname sluice0 tcp flags syn tcp option maxseg size 1410",
    "oifname out0 tcp flags syn tcp option maxseg size 1460",
    "oifname sluice0 ip6 daddr ::/0 tcp flags syn tcp option maxseg size 1390",
  );
  router.propose(tunnel(1));
  router.connects("198.51.100.2");
  router.connects("2001:db8:100::2");
  router.propose(local(1));
  router.connects("198.51.100.2");
  assert.deepEqual(seen().map((count) => count > 0), [true, true, true]);
});
