// Which packets belong to one flow, and which begin another: ports that are used again or by
// several pods, and datagrams of all sizes. With agents and real packets, below the sniffer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FlowLab, Gateway, LabFlow } from "./flow-lab.ts";
import { assertWhole, raiseLab } from "./flow-lab.ts";
import { missingForAgents } from "./live-lab.ts";
import type { FlowReport } from "./peer/wire.ts";

const skip = missingForAgents() ?? false;
const A: Gateway = ["gateway-1", 0];
const B: Gateway = ["gateway-2", 0];
const OTHER_A: Gateway = ["gateway-1", 1];
/** In three fragments on a cable, and in more through the tunnel. */
const LARGE = 4000;

/** Flows that there are have the kernel's time-outs then; the agent soon puts ours back. */
const LOSE_TIMEOUTS = `
rule=$(nft -a list chain inet sluice begun | sed -n "s/.*ct timeout set.* handle //p")
nft "delete rule inet sluice begun handle $rule ; delete ct timeout inet sluice policy_tcp"
`;

let lab: FlowLab;

before(async () => {
  if (skip !== false) return;
  // The last pod lives on the first gateway.
  lab = await raiseLab({ workers: 1, gateways: 2, pods: 3 });
  await change(A);
});

after(() => lab?.end());

const watch = (work: () => Promise<void>) => lab.watch(lab.egressIPs([A, B, OTHER_A]), work);

/** Gives the plan, and waits until new flows follow it. */
async function change(gateway: Gateway): Promise<void> {
  await lab.applyPolicy([gateway]);
  await lab.settle();
}

interface Seen {
  readonly flow: LabFlow;
  readonly addresses: readonly string[];
}

/** The addresses that the outside saw, in order. */
async function seenOf(flows: readonly LabFlow[]): Promise<Seen[]> {
  const sources = await lab.sources(flows);
  return flows.map((flow, i) => ({
    flow,
    addresses: (sources[i] ?? []).map(({ address }) => address),
  }));
}

function assertSeen(seen: readonly Seen[], gateways: readonly Gateway[]): void {
  for (const { flow, addresses } of seen) {
    const wanted = gateways.map((gateway) => lab.egressOf(gateway, flow.server));
    assert.deepEqual(addresses, wanted, flow.name);
  }
}

/** The TCP flows of all pods from one port, each reset by the server after each change. */
async function reuse(
  label: string,
  changes: readonly Gateway[],
  beforeReset: () => Promise<void> = async () => undefined,
): Promise<Seen[]> {
  const flows = lab.flows(lab.pods, { label, protocols: ["TCP"], localPort: 5000 });
  const names = flows.map(({ name }) => name);
  await change(A);
  assertWhole(await lab.open(flows));
  for (const gateway of changes) {
    await change(gateway);
    assertWhole(await lab.ask(flows));
    await beforeReset();
    await lab.outside.finish(names, "reset");
    assertWhole(await lab.open(flows));
  }
  await lab.outside.finish(names, "reset");
  return seenOf(flows);
}

test("a port that is used again after a reset begins a flow [8.5]", { skip }, () =>
  watch(async () => {
    assertSeen(await reuse("again", [B, OTHER_A]), [A, B, OTHER_A]);
    // The control: where the kernel remembers a connection that was reset, its gateway stays.
    const control = await reuse("control", [B], async () => {
      await lab.inNodes(LOSE_TIMEOUTS);
      await lab.settle();
    });
    assertSeen(control, [A, A]);
  }),
);

/** Routers do not break up IPv6: both ends learn the tunnel's room by losing large datagrams. */
async function learnMtu(gateway: Gateway): Promise<void> {
  await change(gateway);
  const flows = lab.flows(lab.pods, { label: `to-${gateway[0]}`, protocols: ["UDP"] });
  let answered = answersIn(await lab.open(flows));
  for (let lost = 1; lost > 0; ) {
    const known = answered;
    answered = answersIn(await lab.ask(flows, { size: LARGE, withinMs: 1000 }));
    lost = flows.length - (answered - known);
  }
  await lab.finish(flows);
}

function answersIn(reports: readonly FlowReport[]): number {
  return reports.reduce((sum, { answered }) => sum + answered, 0);
}

test("datagrams of all sizes of one socket keep one egress IP [8.4, 8.5]", { skip }, () =>
  watch(async () => {
    const flows = lab.flows(lab.pods, { label: "sizes", protocols: ["UDP"] });
    const ask = async () => {
      for (const size of [0, LARGE, 0, LARGE]) assertWhole(await lab.ask(flows, { size }));
    };
    await learnMtu(B);
    await learnMtu(A);
    assertWhole(await lab.open(flows));
    await ask();
    await change(B);
    await ask();
    assertSeen(await seenOf(flows), [A]);
    // The control: what connection tracking forgets begins anew, and is seen to move.
    await lab.inNodes("conntrack -F 2>/dev/null");
    await ask();
    assertSeen(await seenOf(flows), [A, B]);
  }),
);

test("pods with one source port share an egress IP and a destination [8.3]", { skip }, () =>
  watch(async () => {
    await change(A);
    const flows = lab.flows(lab.pods, { label: "port", localPort: 6000 });
    assertWhole(await lab.open(flows));
    assertWhole(await lab.ask(flows));
    assertSeen(await seenOf(flows), [A]);
    const sources = await lab.sources(flows);
    for (const kind of new Set(flows.map(kindOf))) {
      const ports = sources.filter((_, i) => kindOf(flows[i] as LabFlow) === kind).flat();
      const distinct = new Set(ports.map(({ port }) => port));
      assert.deepEqual([distinct.size, distinct.has(6000)], [lab.pods.length, true], kind);
    }
  }),
);

function kindOf({ protocol, server }: LabFlow): string {
  return `${protocol} ${server}`;
}
