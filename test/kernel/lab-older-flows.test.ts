// Flows that are older than the agents and than the first policy, some of them idle meanwhile: they
// go on, with the address that they began with.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { assertWhole, brokenOf, namesOf, raiseLab } from "./flow-lab.ts";
import { missingForAgents } from "./live-lab.ts";

const skip = missingForAgents() ?? false;
/** After more than this an answered UDP flow counts as a stream, and is remembered for longer. */
const STREAM_MS = 2_500;
/** Datagrams on their way to a pod when its device gets its first hook: the kernel drops them. */
const LOST_MAX = 3;

test("flows older than the agents and their first policy go on as they began [8.5]", {
  skip,
}, async (t) => {
  const lab = await raiseLab({ workers: 2, gateways: 2, pods: 5, agents: false });
  t.after(() => lab.end());
  // A busy machine must not be what ends an idle flow.
  await lab.inNodes(
    "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600 " +
      "net.netfilter.nf_conntrack_udp_timeout_stream=600",
  );
  const busy = lab.flows(lab.pods, { label: "busy" });
  const idle = lab.flows(lab.pods, { label: "idle" });
  const all = [...busy, ...idle];
  assert.equal(all.filter(({ protocol }) => protocol === "TCP").length, 20);
  const nodes = lab.topology.nodes.flatMap(({ outside, egress }) => [...outside, ...egress.flat()]);
  const moved = async () => (await lab.sources(all)).filter((seen) => seen.length !== 1);

  await lab.watch(nodes, async () => {
    assertWhole(await lab.open(all));
    await sleep(STREAM_MS);
    assertWhole(await lab.ask(all));
    await lab.talk(busy);
    await lab.startAgents();
    await lab.applyPolicy([
      ["gateway-1", 0],
      ["gateway-2", 0],
    ]);
    await lab.settle();
    const talked = await lab.hush();
    assert.equal(talked.length, busy.length);
    assert.deepEqual(talked.filter(({ broken }) => broken !== null), []);
    const lost = talked.filter((one) => one.sent - one.answered > LOST_MAX || one.answered === 0);
    assert.deepEqual(lost, []);
    // Of the idle ones the outside speaks first in one half, the pod in the other.
    const half = (rest: number) => idle.filter((_, i) => i % 2 === rest);
    assertWhole(await lab.outside.ask(namesOf(half(0))));
    assertWhole(await lab.ask(half(1)));
    assertWhole(await lab.ask(all));
    assert.deepEqual(await moved(), []);
    // The control: what connection tracking forgets is a new flow, and follows the policy.
    await lab.inNodes("conntrack -F 2>/dev/null");
    const broken = brokenOf(await lab.ask(all, { withinMs: 3000 }));
    const ofTcp = broken.filter(({ name }) => name.includes("TCP")).length;
    const ofUdp = (await moved()).length;
    assert.ok(ofTcp > 0 && ofUdp > 0, `${ofTcp} broke, ${ofUdp} moved`);
  });
});
