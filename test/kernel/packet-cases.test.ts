// The table of packet cases of docs/packets.md on a lab with agents: what a packet of each kind
// becomes, which source address the wire outside saw, and which reasons were counted where. Where
// nothing must be seen, a pod without rows sends the same and is seen.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SERVER } from "../../src/apps/lab/topology.ts";
import type { Side } from "./case-cluster.ts";
import { SIDES } from "./case-cluster.ts";
import { assertDropped, CaseLab, PORT } from "./case-lab.ts";
import { sameSources, seenAs, SILENCE_S, SILENT } from "./case-lab.ts";
import { objectMissing } from "./datapath-node.ts";
import { missingForLab } from "./make-lab.ts";

const skip = missingForLab() ?? objectMissing() ?? false;
const lab = new CaseLab({ name: `t${process.pid}-cases`, cni: "ptp" });
before(async () => {
  if (skip === false) await lab.up();
});
after(() => lab.down());

const caseTest = (title: string, body: () => Promise<void>) => test(title, { skip }, body);
const egressOf = (gateway: 0 | 1) => SIDES.map(({ egress }) => egress[gateway]);
const worker = SIDES.map((side) => side.worker);
/** TCP, UDP and ICMP in two families. */
const FLOWS = 6;

describe("a packet to the outside", () => {
  caseTest("with a row leaves by the tunnel, and so comes its answer [8.3, 8.4]", async () => {
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      lab.udpAnswer("pod:client", side.covered),
    );
    assert.deepEqual([value, sources, drops], [egressOf(0), sameSources(egressOf(0)), {}]);
    // One datagram of each family, seen once by every program on its way.
    for (const [node, reason] of [
      ["worker-1", "ProposedTunnel"],
      ["worker-1", "SentRequest"],
      ["gateway-1", "TunnelRequest"],
      ["gateway-1", "SentReply"],
      ["worker-1", "TunnelReply"],
    ] as const) {
      assert.equal(counted(node, reason), 2, `${reason} on ${node}`);
    }
    const all = await lab.inBoth((side) => lab.reach("pod:client", side.covered));
    assert.deepEqual([all.value, all.drops], [egressOf(0).map(seenAs), {}]);
  });

  caseTest("with a row for its own node is translated there [8.3, 8.4]", async () => {
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      lab.reach("pod:own", side.covered),
    );
    assert.deepEqual([value, drops], [egressOf(0).map(seenAs), {}]);
    assert.deepEqual(sources, sameSources(egressOf(0)));
    assert.ok(counted("gateway-1", "ProposedLocal") >= FLOWS);
    assert.equal(counted("gateway-1", "SentRequest") + counted("gateway-1", "SentReply"), 0);
  });

  for (const [title, pod, to, reason] of [
    ["without a row", "near", "covered", "NoRow"],
    ["that is excluded", "client", "excluded", "Excluded"],
  ] as const) {
    caseTest(`${title} goes the ordinary path [8.3]`, async () => {
      const { value, sources, drops, counted } = await lab.inBoth((side) =>
        lab.reach(`pod:${pod}`, side[to]),
      );
      assert.deepEqual([value, sources, drops], [worker.map(seenAs), sameSources(worker), {}]);
      assert.ok(counted("worker-1", reason) >= FLOWS);
    });
  }

  caseTest("follows the longest prefix, whose policy it is [7.3]", async () => {
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      lab.reach("pod:client", side.longer),
    );
    assert.deepEqual([value, drops], [egressOf(1).map(seenAs), {}]);
    assert.deepEqual(sources, sameSources(egressOf(1)));
    assert.ok(counted("gateway-2", "TunnelRequest") >= FLOWS);
    assert.equal(counted("gateway-1", "TunnelRequest"), 0);
  });

  for (const [title, pod, to, reason] of [
    ["whose policy has no gateway is dropped on its node", "client", "gatewayless", "NoGateway"],
    ["without an egress IP is dropped at its gateway", "client", "addressless", "NoEgressIP"],
    ["without one on its own node is dropped there", "own", "addressless", "NoEgressIP"],
  ] as const) {
    caseTest(`${title} [4.3, 6.5, 8.3]`, async () => {
      const seen = await lab.inBoth((side) => lab.reach(`pod:${pod}`, side[to], SILENCE_S));
      assert.deepEqual([seen.value, seen.sources], [[SILENT, SILENT], []]);
      const where = reason === "NoGateway" ? "worker-1" : "gateway-1";
      assertDropped(seen, `${where} ${reason}`, FLOWS);
      const control = await lab.inBoth((side) => lab.reach("pod:near", side[to]));
      assert.deepEqual([control.value, control.drops], [worker.map(seenAs), {}]);
    });
  }
});

describe("a packet that stays inside", () => {
  caseTest("reaches pods and nodes with the pod's address, covered or not [8.1]", async () => {
    const nodes = ["worker-1", "worker-2"] as const;
    const targets = (side: Side) => [
      ...["near", "far"].map((name) => lab.pod(name, side)),
      ...nodes.map((name) => lab.node(name, side)),
    ];
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      Promise.all(targets(side).map((to) => lab.reach("pod:client", to))),
    );
    const wanted = SIDES.map((side) => targets(side).map(() => seenAs(lab.pod("client", side))));
    assert.deepEqual([value, sources, drops], [wanted, [], {}]);
    assert.ok(counted("worker-1", "ClusterDestination") >= 4 * FLOWS);
    assert.equal(counted("worker-1", "ProposedTunnel"), 0);
  });

  for (const [title, service] of [
    ["reaches a pod behind a service [8.1]", "pod"],
    ["reaches a host-network backend by a load balancer's address [8.1, 8.2]", "balancer"],
  ] as const) {
    caseTest(title, async () => {
      const { value, sources, drops, counted } = await lab.inBoth((side) =>
        lab.reach("pod:client", side.service[service]),
      );
      const wanted = SIDES.map((side) => seenAs(lab.pod("client", side)));
      assert.deepEqual([value, sources, drops], [wanted, [], {}]);
      assert.ok(counted("worker-1", "ClusterDestination") >= FLOWS);
    });
  }

  caseTest("but a service leads outside: dropped for pods with rows [8.11]", async () => {
    const seen = await lab.inBoth((side) =>
      lab.reach("pod:client", side.service.outside, SILENCE_S),
    );
    assert.deepEqual([seen.value, seen.sources], [[SILENT, SILENT], []]);
    assertDropped(seen, "worker-1 ServiceToOutside", FLOWS);
    const control = await lab.inBoth((side) => lab.reach("pod:near", side.service.outside));
    assert.deepEqual([control.value, control.drops], [worker.map(seenAs), {}]);
  });
});

/** The server outside reaches a pod of worker-1: by its address, and by UDP to the node's. */
async function openInbound(): Promise<void> {
  const addresses = SIDES.map((side) => lab.pod("client", side));
  lab.listen("pod:client", addresses);
  await lab.untilListening(addresses);
  const routes = addresses.map((address, i) => `ip route add ${address} via ${worker[i]}`);
  await lab.inMember(SERVER, routes.join("\n"));
  const rules = SIDES.map(({ ip, worker: node }, i) => {
    return `${ip} daddr ${node} udp dport ${PORT} dnat ${ip} to ${addresses[i]}`;
  });
  await lab.addDnat("inbound", rules);
}

describe("a packet that no pod has begun", () => {
  for (const name of ["worker-1", "gateway-1"]) {
    caseTest(`is the host's own, on ${name}: untouched [8.1]`, async () => {
      const { value, sources, drops, counted } = await lab.inBoth((side) =>
        Promise.all([side.covered, side.gatewayless].map((to) => lab.reach(name, to))),
      );
      for (const { tcp, udp, icmp } of value.flat()) assert.ok(tcp !== "" && tcp === udp && icmp);
      assert.ok(sources.length >= 2 && sources.every((one) => lab.ownAddresses(name).has(one)));
      const proposed = counted(name, "ProposedTunnel") + counted(name, "ProposedLocal");
      assert.deepEqual([drops, proposed], [{}, 0]);
    });
  }

  caseTest("answers a connection from outside: untouched [8.1]", async () => {
    await openInbound();
    const { value, sources, drops, counted } = await lab.inBoth((side) =>
      lab.reach(SERVER, lab.pod("client", side)),
    );
    const outside = SIDES.map((side) => seenAs(side.covered));
    const pods = SIDES.map((side) => lab.pod("client", side));
    assert.deepEqual([value, sources, drops], [outside, sameSources(pods), {}]);
    // Its rows cover the answers: they were proposed for the tunnel, and did not go there.
    assert.ok(counted("worker-1", "ProposedTunnel") >= FLOWS);
    assert.equal(counted("worker-1", "SentRequest"), 0);
    const byNode = await lab.inBoth((side) => lab.udpAnswer(SERVER, side.worker));
    assert.deepEqual(byNode.value, SIDES.map((side) => side.covered));
    assert.deepEqual([byNode.sources, byNode.drops], [sameSources(worker), {}]);
  });
});
