// Tunnel packets made by hand: from outside, from a pod, from a pod that the network masquerades as
// its node. Whatever source and destination are inside, none is served and none reaches a pod.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { podMember } from "../../src/apps/lab/place.ts";
import { applyPolicies } from "../../src/apps/lab/policies.ts";
import { loadPods } from "../../src/apps/lab/state.ts";
import { SERVER } from "../../src/apps/lab/topology.ts";
import { present } from "../../src/lib/assert.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { countedDuring, countArrivals, shellOn } from "./lab-node.ts";
import type { Lab } from "./live-lab.ts";
import { assertFits, bringLabUp, killAgents, missingForAgents } from "./live-lab.ts";
import { NetnsSocket } from "./netns-socket.ts";
import { serverLike } from "./pod-paths.ts";
import { udpPacket, vxlanPayload } from "./segments.ts";

const skip = missingForAgents() ?? false;
const NODES = ["worker-1", "worker-2", "gateway-1", "gateway-2"];
const { tunnelPort, vni } = DEFAULT_SETTINGS;
/** By which the forged packets are known at their destination. */
const FORGED_PORT = 31_337;
/** On the gateway's underlay device, and no node's address: a virtual IP, or an egress IP. */
const VIRTUAL = "172.20.0.99";
const REASONS = [
  ...["TunnelIntruder", "ForeignTunnel", "SpoofedTunnel", "SpoofedReply", "NotServed"],
  "UnknownFlow",
];

interface Forgery {
  /** Who sends it: a member of the lab. */
  readonly sender: string;
  /** The outer destination. */
  readonly to: string;
  /** The outer source; undefined: the sender's own. */
  readonly from?: string;
}

/** Sends a tunnel packet for each pair of inner addresses; how many. */
function forge(lab: Lab, { sender, to, from }: Forgery, inner: readonly (readonly string[])[]) {
  const options = { netns: lab.place.path(sender), to, port: tunnelPort };
  const kind = from === undefined ? "udp" : "raw";
  const socket = new NetnsSocket({ ...options, kind });
  let sent = 0;
  for (const [source = "", destination = ""] of inner) {
    const ends = { sourcePort: FORGED_PORT, port: FORGED_PORT };
    const payload = vxlanPayload(vni, udpPacket({ from: source, to: destination, ...ends }));
    const outer = { from: from ?? "", to, sourcePort: 50_000, port: tunnelPort };
    const error = socket.send(from === undefined ? payload : udpPacket(outer, payload));
    assert.equal(error, undefined, `${sender} -> ${to}`);
    sent++;
  }
  socket.close();
  return sent;
}

const ATTACKER = podMember("pod-3");

/** Where its outer packet may go to make a gateway translate what is inside. */
const TO_GATEWAY: readonly Forgery[] = [
  { sender: SERVER, to: "198.51.100.201" },
  { sender: SERVER, to: "2001:db8:100::201" },
  { sender: SERVER, to: "198.51.100.31" },
  { sender: SERVER, to: "198.51.100.201", from: "172.20.0.11" },
  { sender: ATTACKER, to: "172.20.0.11" },
  { sender: ATTACKER, to: "172.20.0.201" },
  { sender: ATTACKER, to: "198.51.100.201" },
  { sender: ATTACKER, to: "fd00:20::201" },
  { sender: ATTACKER, to: "172.20.0.201", from: "172.20.0.12" },
  { sender: ATTACKER, to: VIRTUAL },
  // A node, but not that of the inner sources.
  { sender: "worker-2", to: "172.20.0.201" },
];
/** Where it may go to make a worker give its pods what is inside. */
const TO_WORKER: readonly Forgery[] = [
  { sender: SERVER, to: "198.51.100.12" },
  { sender: SERVER, to: "198.51.100.12", from: "172.20.0.201" },
  { sender: ATTACKER, to: "172.20.0.12" },
  { sender: ATTACKER, to: "172.20.0.12", from: "172.20.0.201" },
  // A node, but no gateway.
  { sender: "worker-1", to: "172.20.0.12" },
];
/** What passes when the guards are gone. */
const UNGUARDED: readonly Forgery[] = [
  { sender: ATTACKER, to: "172.20.0.201" },
  { sender: ATTACKER, to: VIRTUAL },
  { sender: SERVER, to: "198.51.100.201", from: "172.20.0.11" },
];

async function prepare(t: TestContext): Promise<Lab> {
  const lab = await bringLabUp(t, { workers: 2, pods: 5 });
  await applyPolicies(lab.place, "demo/policy.yaml");
  await excludeUnderlay(lab);
  await assertFits(lab);
  // The guards alone, whatever the kernel would refuse by itself.
  for (const node of NODES) {
    await shellOn(lab, node, "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done");
  }
  await shellOn(lab, "gateway-1", `ip address add ${VIRTUAL}/24 dev ul0`);
  await shellOn(lab, "worker-1", MASQUERADE);
  return lab;
}

/** How many arrived, were sent, and were counted as dropped. */
async function attempt(lab: Lab, forgery: Forgery, inner: readonly (readonly string[])[]) {
  const members = [SERVER, ...loadPods(lab.place).map(({ name }) => podMember(name))];
  const arrived = await countArrivals(lab, members, [`udp dport ${FORGED_PORT}`]);
  let sent = 0;
  const dropped = await countedDuring(lab, { nodes: NODES, reasons: REASONS }, async () => {
    sent = forge(lab, forgery, inner);
    await sleep(100);
  });
  const [packets] = await arrived();
  return { arrived: packets, sent, dropped };
}

test("tunnel packets made by hand are dropped and counted [8.9]", { skip }, async (t) => {
  const lab = await prepare(t);
  const addressesOn = (node: string) =>
    loadPods(lab.place).filter((pod) => pod.node === node).flatMap(({ addresses }) => addresses);
  /** As if pods of worker-1, where the attacker lives, sent to the outside. */
  const requests = addressesOn("worker-1").map((from) => [from, serverLike(lab, from)]);
  /** As if a gateway sent an answer to a pod. */
  const answers = addressesOn("worker-2").map((to) => [serverLike(lab, to), to]);
  assert.deepEqual([requests.length, answers.length], [4, 4]);

  for (const [what, forgeries, inner] of [
    ["requests", TO_GATEWAY, requests],
    ["answers", TO_WORKER, answers],
  ] as const) {
    for (const forgery of forgeries) {
      const { sender, to, from = "its own address" } = forgery;
      await t.test(`${what} from ${sender} to ${to} with ${from}`, async () => {
        const outcome = await attempt(lab, forgery, inner);
        assert.deepEqual(outcome, { arrived: 0, sent: inner.length, dropped: inner.length });
      });
    }
  }

  await t.test("the control: without the guards they are served", async () => {
    await killAgents(lab, NODES);
    for (const node of NODES) {
      await shellOn(lab, node, "nft flush chain inet sluice guard_input");
      await shellOn(lab, node, "nft flush chain inet sluice guard_forward");
    }
    for (const forgery of UNGUARDED) {
      const { arrived, sent } = await attempt(lab, forgery, requests);
      assert.deepEqual([arrived, sent], [4, 4], JSON.stringify(forgery));
    }
  });
});

/** What goes to the nodes' network takes the ordinary way, also where no node has the address. */
async function excludeUnderlay({ place }: Lab): Promise<void> {
  const objects = await objectsOf(place);
  const policy = present(await objects.get("CiliumEgressGatewayPolicy", "outside"), "the policy");
  const spec = { ...(policy["spec"] as object), excludedCIDRs: ["172.20.0.0/24"] };
  await objects.put({ ...policy, spec });
}

/** What networks do that hide pods behind their node even from other nodes. */
const MASQUERADE = `nft -f - <<'END'
add rule inet cni postrouting ip saddr 10.244.0.0/16 ip daddr 172.20.0.0/24 masquerade
add rule inet cni postrouting ip6 saddr fd00:10:244::/48 ip6 daddr fd00:20::/64 masquerade
END`;
