// The lab's whole check where networks differ: a reverse-path filter that is strict or loose on
// every device, egress IPs on a gateway's second device, policies for IPv6 destinations alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../src/apps/lab/check.ts";
import { expectations } from "../../src/apps/lab/expectation.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { addPod } from "../../src/apps/lab/pods.ts";
import { shellOn } from "./lab-node.ts";
import type { Lab } from "./live-lab.ts";
import { assertFits, bringLabUp, killAgents, missingForAgents, startAgents } from "./live-lab.ts";

const skip = missingForAgents() ?? false;
const NODES = ["worker-1", "gateway-1", "gateway-2"];
const BOTH = ["0.0.0.0/0", "::/0"];

interface Way {
  readonly destinations: readonly string[];
  /** What the gateways' entries say beside their nodes. */
  readonly gateways: readonly [object, object];
}

const FIRST: Way = {
  destinations: BOTH,
  gateways: [{ egressIP: "198.51.100.31" }, { egressIP: "198.51.100.41" }],
};
/** One by its interface, one by an address, which takes the other family's from the same device. */
const SECOND: Way = {
  destinations: BOTH,
  gateways: [{ interface: "out1" }, { egressIP: "203.0.113.41" }],
};
const IPV6: Way = { ...FIRST, destinations: ["2001:db8:100::/64"] };

/** In place of the one before. */
async function applyPolicy({ place }: Lab, { destinations, gateways }: Way): Promise<void> {
  const egressGateways = gateways.map((more, i) => ({
    nodeSelector: { matchLabels: { "kubernetes.io/hostname": `gateway-${i + 1}` } },
    ...more,
  }));
  const selectors = [{ podSelector: { matchLabels: { app: "client" } } }];
  await (await objectsOf(place)).put({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: "edges" },
    spec: { selectors, destinationCIDRs: destinations, egressGateways },
  });
}

/** The addresses that the plan lets the server see. */
async function planned({ place, topology }: Lab): Promise<string[]> {
  const all = (await expectations(place, topology)).flatMap(({ addresses }) => addresses);
  return [...new Set(all)].sort();
}

async function setReversePathFilter(lab: Lab, mode: number): Promise<void> {
  const script = `for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo ${mode} >$f; done`;
  await Promise.all(NODES.map((node) => shellOn(lab, node, script)));
}

test("the whole check fits where networks differ [6.1, 6.2, 8.3, 8.4]", { skip }, async (t) => {
  // The last pod lives on gateway-1 and is translated there.
  const lab = await bringLabUp(t, { pods: 3, secondNic: true });

  await t.test("a policy for IPv6 destinations leaves IPv4 alone", async () => {
    await applyPolicy(lab, IPV6);
    await assertFits(lab);
    const kinds = (await expectations(lab.place, lab.topology)).map(
      ({ server, kind }) => `${server.includes(":") ? "IPv6" : "IPv4"} ${kind}`,
    );
    assert.deepEqual([...new Set(kinds)].sort(), ["IPv4 node", "IPv6 egress"]);
  });
  for (const [mode, called] of [[1, "strict"], [2, "loose"]] as const) {
    await setReversePathFilter(lab, mode);
    for (const [way, device] of [[FIRST, "the first"], [SECOND, "the second"]] as const) {
      await t.test(`rp_filter is ${called}, by ${device} device`, async () => {
        await applyPolicy(lab, way);
        await assertFits(lab);
      });
    }
    // Its device comes under this filter too.
    await addPod(lab, { name: `late-${called}`, nodeName: "worker-1" });
  }
  await assertFits(lab);
  const wanted = ["203.0.113.31", "203.0.113.41", "2001:db8:113::31", "2001:db8:113::41"];
  assert.deepEqual(await planned(lab), wanted.sort());

  await t.test("the control: without our rules they leave by the other device", async () => {
    await killAgents(lab, NODES);
    // The first priority of ours: an egress IP's own device.
    const rules = "while ip rule del priority 90; do :; done 2>/dev/null";
    await shellOn(lab, "gateway-1", `${rules}; ${rules.replace("ip rule", "ip -6 rule")}`);
    const { fits, leaks } = await check(lab.place, lab.topology, { once: true });
    const wrong = leaks.map(({ address }) => address).sort();
    assert.deepEqual([fits, wrong], [false, ["2001:db8:113::31 on out0", "203.0.113.31 on out0"]]);
    await startAgents(lab, NODES);
    await assertFits(lab);
  });
});
