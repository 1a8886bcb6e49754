// Our nftables table and real packets: what becomes of each proposal. What our programs would
// propose is set by a foreign table.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { REASONS } from "../../src/plan/reason.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { INDEX_NO_EGRESS_IP, INDEX_NONE, INDEX_REPLY } from "../../src/reconcile/mark.ts";
import { INDEX_UNKNOWN_GATEWAY } from "../../src/reconcile/mark.ts";
import { address } from "../support/sample-plan.ts";
import { dropped, gateway, local, reached, startNode, SYNCED, tunnel } from "./node.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { DATAPATH, SIDES } from "./router.ts";

const skip = enterPrivateNetns();
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(title, { skip: skip ?? false }, body);
/** Bits of the marks that are not ours. */
const FOREIGN = 0xabcd0000;

for (const side of SIDES) {
  const { family, ip, pod, outside, egress } = side;
  const digit = family === "IPv4" ? 4 : 6;
  const own = family === "IPv4" ? 1 : 3;

  kernelTest(`a proposal to translate gives the egress IP, ${family} [8.3, 8.4]`, async (t) => {
    const { router, table } = await startNode(t);
    router.propose(local(own));
    const seen = router.watchOutside(`${ip} saddr ${egress} tcp flags syn`);
    assert.equal(router.connects(outside), true);
    assert.equal(seen(), 1);
    assert.deepEqual(await dropped(table), {});
  });

  kernelTest(`bits of others survive in packet and connection, ${family}`, async (t) => {
    const { router } = await startNode(t);
    shell("nft add rule inet foreign bits ct state new ct mark set 0x12340000");
    const mark = FOREIGN + local(own);
    const marked = (text: number) => `meta mark ${text} ct mark ${0x12340000 + local(own)}`;
    router.propose(mark);
    shell(`nft add rule inet foreign propose iifname out0 meta mark set ${0x77770000}`);
    const seen = router.watch(
      `oifname out0 ${marked(FOREIGN + local(own))}`,
      `oifname pod0 ${marked(0x77770000 + local(own))}`,
    );
    assert.equal(router.connects(outside), true);
    assert.deepEqual(seen(), [1, 1]);
  });

  kernelTest(`what leaves through the tunnel keeps the pod's address, ${family}`, async (t) => {
    const { router } = await startNode(t);
    router.propose(FOREIGN + tunnel(1));
    const seen = router.watch(
      `oifname sluice0 ${ip} saddr ${pod} meta mark ${FOREIGN + tunnel(1)}`,
      `oifname out0 ${ip} daddr ${outside}`,
    );
    router.sends(outside);
    assert.deepEqual(seen(), [1, 0]);
    // The control: without a proposal it leaves directly, masqueraded.
    router.propose(undefined);
    router.sends(outside, 10);
    assert.deepEqual(seen(), [1, 1]);
  });

  kernelTest(`a request is translated, its answer sent back, ${family}`, async (t) => {
    const { router } = await startNode(t);
    // Its reverse look-up must lead to the tunnel, and here it comes from a pod's device.
    shell("sysctl -qw net.ipv4.conf.all.rp_filter=0");
    router.propose(gateway(own));
    const seen = router.watch(
      `oifname out0 ${ip} saddr ${egress}`,
      `oifname sluice0 ${ip} daddr ${pod} meta mark ${gateway(own)}`,
    );
    assert.equal(router.connects(outside), false);
    const [requests = 0, answers = 0] = seen();
    assert.ok(requests > 0 && answers > 0, `${requests} requests, ${answers} answers`);
  });

  kernelTest(`pods that are not classified wait, ${family} [8.7, 8.9]`, async (t) => {
    const unclassified = { ...DATAPATH, classified: [], selected: [] };
    const { router, table } = await startNode(t, unclassified);
    const seen = router.watchOutside(`${ip} daddr ${outside} udp dport 9`);
    router.sends(outside);
    // With rows too: their device is not found, or somebody borrows the address.
    router.propose(local(own));
    router.sends(outside);
    assert.equal(seen(), 0);
    assert.deepEqual(await dropped(table), { Unclassified: 2 });
    await table.apply(DATAPATH, SYNCED);
    router.sends(outside);
    assert.equal(seen(), 1);
    assert.deepEqual(await dropped(table), { Unclassified: 2 });
  });

  kernelTest(`nothing begins while an address changes hands, ${family} [8.10]`, async (t) => {
    const { router, table } = await startNode(t);
    const seen = router.watchOutside(`${ip} daddr ${outside} udp dport 9`);
    await table.apply(DATAPATH, { ...SYNCED, passing: [address(pod)] });
    // On the direct path, translated here, and as a request from the tunnel.
    for (const mark of [undefined, local(own), gateway(own)]) {
      router.propose(mark);
      router.sends(outside);
    }
    assert.deepEqual([seen(), await dropped(table)], [0, { ChangingHands: 3 }]);
    await table.apply(DATAPATH, SYNCED);
    router.propose(local(own));
    router.sends(outside);
    assert.equal(seen(), 1);
  });

  kernelTest(`told to allow, they leave with the node's address, ${family}`, async (t) => {
    const unclassified = { ...DATAPATH, classified: [], selected: [] };
    const { router } = await startNode(t, unclassified, { unclassified: "allow" });
    const seen = router.watchOutside(`${ip} daddr ${outside} ${ip} saddr ${egress} udp dport 9`);
    router.sends(outside);
    assert.equal(seen(), 1);
  });

  kernelTest(`no service leads outside for pods with rows, ${family} [8.11]`, async (t) => {
    const { router, table } = await startNode(t);
    shell(`nft -f - <<'END'
      add chain inet cni services { type nat hook prerouting priority dstnat ; }
      add rule inet cni services ${ip} daddr ${side.service} dnat ${ip} to ${outside}
END`);
    const seen = router.watchOutside(`${ip} daddr ${outside} udp dport 9`);
    router.sends(side.service);
    assert.equal(seen(), 0);
    assert.deepEqual(await dropped(table), { ServiceToOutside: 1 });
    await table.apply({ ...DATAPATH, selected: [] }, SYNCED);
    router.sends(side.service);
    assert.equal(seen(), 1);
  });

  kernelTest(`policy traffic never leaves untranslated, ${family} [8.8]`, async (t) => {
    const { router, table } = await startNode(t);
    const seen = router.watchOutside(`${ip} daddr ${outside} udp dport 9`);
    // The tunnel's routes are gone, and an egress IP has no entry in the map.
    shell("ip link set sluice0 down");
    router.propose(tunnel(1));
    router.sends(outside);
    assert.deepEqual([seen(), await dropped(table)], [0, { Untranslated: 1 }]);
    shell(`nft delete element inet sluice snat${digit} "{ ${own} : ${egress} }"`);
    shell(`nft delete element inet sluice egress${digit} "{ ${egress} }"`);
    router.propose(local(own));
    router.sends(outside);
    assert.deepEqual([seen(), await dropped(table)], [0, { Untranslated: 2 }]);
    // The control: without the guard it does.
    shell("nft flush chain inet sluice guard_leaving");
    router.sends(outside);
    assert.equal(seen(), 1);
  });

  kernelTest(`each refusal is counted by its reason, ${family} [4.3, 6.5]`, async (t) => {
    const { router, table } = await startNode(t);
    const seen = router.watchOutside(`${ip} daddr ${outside}`);
    const refusals = [
      [tunnel(INDEX_NONE), "NoGateway"],
      [tunnel(INDEX_UNKNOWN_GATEWAY), "UnknownGateway"],
      [tunnel(77), "UnknownGateway"],
      [tunnel(INDEX_REPLY), "UnknownFlow"],
      [gateway(INDEX_NONE), "NoRowAtGateway"],
      [gateway(INDEX_NO_EGRESS_IP), "NoEgressIP"],
      [local(INDEX_NO_EGRESS_IP), "NoEgressIP"],
      [local(77), "NoEgressIP"],
    ] as const;
    const wanted = new Map<string, number>();
    for (const [mark, reason] of refusals) {
      router.propose(FOREIGN + mark);
      router.sends(outside);
      wanted.set(reason, (wanted.get(reason) ?? 0) + 1);
      assert.deepEqual(await dropped(table), Object.fromEntries(wanted), `mark ${mark}`);
    }
    router.propose(local(own), { then: "notrack" });
    router.sends(outside);
    assert.deepEqual(await dropped(table), { ...Object.fromEntries(wanted), Invalid: 1 });
    assert.equal(seen(), 0);
    router.propose(local(own));
    router.sends(outside);
    assert.equal(seen(), 1);
    router.sendsFromOutside(egress, DEFAULT_SETTINGS.tunnelPort);
    assert.ok("TunnelIntruder" in (await dropped(table)));
  });
}

test("every reason of nftables was reached", { skip: skip ?? false }, () => {
  const all = REASONS.filter(({ counter }) => counter === "nftables");
  assert.deepEqual([...reached].sort(), all.map(({ name }) => name).sort());
});
