// Flows that the outside opens, one pod's flood, and a full table of connections: flows of other
// pods that are established do not notice, and nothing leaves with another address.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { after, before, test } from "node:test";
import { SOAK } from "../support/soak.ts";
import { ConntrackTable } from "./conntrack-table.ts";
import type { FlowLab, Gateway, LabFlow } from "./flow-lab.ts";
import { assertWhole, brokenOf, namesOf, raiseLab } from "./flow-lab.ts";
import { CLIENT, inboundFlows, publish } from "./inbound.ts";
import { missingForAgents } from "./live-lab.ts";

const skip = missingForAgents() ?? false;
const A: Gateway = ["gateway-1", 0];
const B: Gateway = ["gateway-2", 0];
/** In three fragments. */
const LARGE = 4000;
/** After more than this an answered UDP flow counts as a stream, which nothing pushes out. */
const STREAM_MS = 2_500;
/** Of one socket of the flood. */
const PORTS = { first: 5000, count: 60_000 };
const FLOOD_MIN = 300_000;
/** Without SLUICE_SOAK the table is filled by hand but for this. */
const ROOM = 5_000;
const FULL_MS = 120_000;
/** A new flow that is not answered for so long is dropped. */
const REFUSED_MS = 2_000;
const FLOOD_WITHIN_MS = 280_000;

let lab: FlowLab;

before(async () => {
  if (skip !== false) return;
  // The last pod lives on the first gateway.
  lab = await raiseLab({ workers: 1, gateways: 2, pods: 4 });
  // A busy machine must not be what ends an idle flow.
  await lab.inNodes(
    "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600 " +
      "net.netfilter.nf_conntrack_udp_timeout_stream=600",
  );
  await change(A);
  await publish(lab);
});

after(() => lab?.end());

async function change(gateway: Gateway): Promise<void> {
  await lab.applyPolicy([gateway]);
  await lab.settle();
}

/** Runs `work` below two sniffers: what the server sees, and what the client of inbound flows. */
function watch(work: () => Promise<void>): Promise<void> {
  const nodes = lab.topology.nodes.flatMap(({ outside }) => outside);
  return lab.watch(lab.egressIPs([A, B]), () => lab.watch(nodes, work, CLIENT));
}

/** Opens flows in both directions; to the kernel they count as established. */
async function establish(out: readonly LabFlow[], inbound: readonly LabFlow[]): Promise<void> {
  assertWhole([...(await lab.open(out)), ...(await lab.outside.open(inbound))]);
  await sleep(STREAM_MS);
  assertWhole([...(await lab.ask(out)), ...(await lab.outside.ask(namesOf(inbound)))]);
}

/** Each asks from either end; first the server in every second flow, the client in the others. */
async function assertAlive(out: readonly LabFlow[], inbound: readonly LabFlow[]): Promise<void> {
  const half = (flows: readonly LabFlow[], rest: number) => flows.filter((_, i) => i % 2 === rest);
  for (const rest of [0, 1]) {
    assertWhole(await lab.outside.ask(namesOf(half(out, rest))));
    assertWhole(await lab.ask(half(out, 1 - rest)));
    assertWhole(await lab.ask(half(inbound, rest)));
    assertWhole(await lab.outside.ask(namesOf(half(inbound, 1 - rest))));
  }
  assert.deepEqual((await lab.sources(out)).filter((seen) => seen.length !== 1), []);
}

test("answers of inbound flows leave as they came, in fragments too [8.1]", { skip }, async () => {
  const flows = inboundFlows(lab, "fragments");
  const nodes = lab.topology.nodes.flatMap(({ outside }) => outside);
  const ask = async () => {
    for (const size of [0, LARGE]) {
      assertWhole(await lab.outside.ask(namesOf(flows), { size }));
      assertWhole(await lab.ask(flows, { size }));
    }
  };
  assertWhole(await lab.outside.open(flows));
  await lab.watch(nodes, ask, CLIENT);
  // The control: what connection tracking forgets is a flow of the pod, and leaves by a gateway.
  await lab.inNodes("conntrack -F 2>/dev/null");
  const broken = brokenOf(await lab.ask(flows, { size: LARGE, withinMs: 2000 }));
  assert.equal(broken.length, flows.length);
  await lab.outside.finish(namesOf(flows));
});

/** The first pod's flood through gateway A, after which the worker's table is full. */
async function flood(t: TestContext, table: ConntrackTable): Promise<void> {
  const [server = ""] = lab.topology.server;
  if (!SOAK) await table.leaveRoom(ROOM);
  const wanted = SOAK ? Math.max(FLOOD_MIN, 1.1 * ConntrackTable.size) : 2 * ROOM;
  const sockets = Math.ceil(wanted / PORTS.count);
  const ports = { ...PORTS, count: Math.ceil(wanted / sockets) };
  const began = performance.now();
  const sent = await lab.peer("pod-1").flood({ server, sockets, ports }, FLOOD_WITHIN_MS);
  t.diagnostic(`${sent} flows in ${((performance.now() - began) / 1000).toFixed()} s`);
  assert.ok(sent >= wanted);
}

/** Fills the table until new flows of these pods, which live on its node, find no room. */
async function fillUp(table: ConntrackTable, pods: readonly string[]): Promise<void> {
  const deadline = performance.now() + FULL_MS;
  for (let round = 1; ; round++) {
    await table.fill();
    const fresh = lab.flows(pods, { label: `fresh-${round}` });
    const refused = brokenOf(await lab.open(fresh, REFUSED_MS));
    await lab.finish(fresh);
    if (refused.length === fresh.length) return;
    // The room of flows that have ended; the kernel takes its time to find it.
    assert.ok(performance.now() < deadline, "the table does not get full");
  }
}

test("flood and full table do not end established flows, nor let others out [8.1, 8.5, 8.8]", {
  skip,
}, async (t) => {
  const others = lab.pods.slice(1);
  const table = new ConntrackTable(lab, "worker-1");
  await watch(async () => {
    await change(B);
    const inbound = inboundFlows(lab, "inbound").filter(({ pod }) => others.includes(pod));
    const sticky = lab.flows(others, { label: "sticky" });
    await establish(sticky, inbound);
    // For the control: answered once, so that the kernel may push them out.
    const once = Array.from({ length: 150 }, (_, i) =>
      lab.flows(["pod-2"], { label: `once-${i}`, protocols: ["UDP"] }),
    ).flat();
    assertWhole(await lab.open(once));
    await change(A);
    const newer = lab.flows(others, { label: "newer" });
    await establish(newer, []);

    await flood(t, table);
    await assertAlive([...sticky, ...newer], inbound);
    await lab.ask(once, { withinMs: 2000 });
    const pushed = (await lab.sources(once)).filter((seen) => seen.length > 1).length;
    t.diagnostic(`${pushed} of ${once.length} flows that were answered once were pushed out`);
    assert.ok(pushed > 0, "the control");

    // The flood's own flows give way to others, so they go first.
    for (const address of lab.addresses("pod-1")) await table.forget(address);
    await fillUp(table, others.slice(0, -1));
    await assertAlive([...sticky, ...newer], inbound);
    // The control: one that is forgotten finds no room either, and still nothing leaves.
    const [pod = ""] = others;
    const lost = newer.filter((flow) => flow.pod === pod);
    for (const address of lab.addresses(pod)) await table.forget(address);
    await table.fill();
    const forgotten = brokenOf(await lab.ask(lost, { withinMs: 2000 })).length;
    t.diagnostic(`${forgotten} of ${lost.length} that were forgotten found no room`);
    assert.ok(forgotten > 0, "the control");
  });
  await lab.inNodes("conntrack -F 2>/dev/null");
  await lab.settle();
});
