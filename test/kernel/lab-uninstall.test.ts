// A node with a real CNI and much of others on it: while agents start, run and end, nothing of
// others changes, not a bit of their marks either; and uninstalled the node is as it was.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/run-cli.ts";
import { differences } from "./kernel-text.ts";
import type { NodeOfLab } from "./lab-nodes.ts";
import { LabNodes } from "./lab-nodes.ts";
import { labSkip, makeLab, succeed } from "./make-lab.ts";
import { pinForeignProgram } from "./raw-program.ts";

const skip = labSkip();

/** One egress IP on the usual device, one on another: then a setting of that device changes too. */
const POLICIES = ["198.51.100.31", "203.0.113.5"].map((egressIP, i) => ({
  apiVersion: "cilium.io/v2",
  kind: "CiliumEgressGatewayPolicy",
  metadata: { name: `policy-${i}` },
  spec: {
    selectors: [{ podSelector: { matchLabels: { app: "client" } } }],
    destinationCIDRs: i === 0 ? ["0.0.0.0/0", "::/0"] : ["192.0.2.0/24"],
    egressGateways: [{ nodeSelector: { matchLabels: { egress: "yes" } }, egressIP }],
  },
}));

/** Bits of others, in packets and connections; ours are below them. */
const PACKET_BIT = 0x2000_0000;
const FLOW_BIT = 0x4000_0000;

/** What somebody else has on a node: links, rules, routes, filters, settings, marks. */
const others = (program: string) => `
ip link add ext0 type veth peer name ext1; ip link set ext0 up; ip link set ext1 up
ip address add 203.0.113.5/32 dev ext0
ip link add other0 type vxlan external dstport 8888
ip rule add priority 80 fwmark 0x10000000/0x10000000 table 100
ip rule add priority 200 fwmark ${FLOW_BIT}/${FLOW_BIT} table 101
ip -6 rule add priority 200 fwmark ${FLOW_BIT}/${FLOW_BIT} table 101
ip route add 192.0.2.64/26 dev ext0 table 101; ip route add 192.0.2.128/26 dev ext0 proto 83
tc qdisc add dev ext0 clsact
tc filter add dev ext0 ingress prio 1 handle 1 bpf da pinned ${program}
for device in $(ls /proc/sys/net/ipv4/conf | grep ^veth); do
  tc qdisc add dev $device clsact
  tc filter add dev $device ingress prio 7 bpf da pinned ${program}
  tc filter add dev $device egress prio 1 bpf da pinned ${program}
done
sysctl -qw net.ipv4.conf.ul0.src_valid_mark=1 net.ipv4.conf.ext0.rp_filter=2
nft -f - <<'END'
table inet others {
  counter seen { }
  counter bare { }
  chain early {
    type filter hook prerouting priority -160
    ip saddr 10.244.0.0/16 ct mark set ct mark | ${FLOW_BIT} meta mark set meta mark | ${PACKET_BIT}
  }
  chain late {
    type filter hook postrouting priority 300
    ct original ip saddr 10.244.0.0/16 ct direction original oifname out0 goto judge
  }
  chain judge {
    meta mark & ${PACKET_BIT} == 0 counter name bare
    ct mark & ${FLOW_BIT} == 0 counter name bare
    counter name seen
  }
}
END
`;

/** Packets of pods that left, and those without the bits that others had given them. */
function marked(node: NodeOfLab): { readonly seen: number; readonly bare: number } {
  const count = (name: string) => {
    const text = node.shell(`nft list counter inet others ${name}`);
    return Number(/packets (\d+)/.exec(text)?.[1]);
  };
  return { seen: count("seen"), bare: count("bare") };
}

/** What agents add, as the lines of a snapshot say it. */
const OURS = /sluice|^pin tc.globals|proto 83|dev sluice0|clsact|filter protocol all pref 1 bpf/;
/** The one setting of others' devices, which is given back. */
const BORROWED = /^sysctl: [-+] net\.ipv4\.conf\.ext0\.src_valid_mark = [01]$/;

for (const [cni, shift] of [["ptp", ""], ["bridge", "8"]] as const) {
  const marks = shift === "" ? "" : ", marks shifted";
  test(`with ${cni}${marks}, uninstalled nodes are as they were before, and others' things too`, {
    skip,
  }, async (t) => {
    const { name, lab } = makeLab(t);
    const size = ["--workers", "1", "--gateways", "1", "--pods", "3"];
    succeed(lab("up", "--no-agents", "--ipv6", "--cni", cni, ...size));
    const nodes = new LabNodes(name);
    for (const node of nodes.all) {
      pinForeignProgram(join(node.bpf, "foreign"));
      node.shell(others(join(node.bpf, "foreign")));
    }
    const file = join(temporaryFolder(t), "policies.yaml");
    writeFileSync(file, POLICIES.map((policy) => JSON.stringify(policy)).join("\n---\n"));
    succeed(lab("policy", "apply", file));
    const before = await Promise.all(nodes.all.map((node) => node.kernel()));

    process.env["SLUICE_MARK_SHIFT"] = shift;
    t.after(() => delete process.env["SLUICE_MARK_SHIFT"]);
    await nodes.allReady();
    succeed(lab("check"));
    for (const [i, node] of nodes.all.entries()) {
      const found = differences(before[i] ?? {}, await node.kernel());
      const foreign = found.filter((line) => !/^(\w+: \+|pin) /.test(line) || !OURS.test(line));
      assert.deepEqual(foreign.filter((line) => !BORROWED.test(line)), [], node.name);
      assert.ok(found.length > 50, "the control: an agent changes much");
      assert.equal(found.some((line) => BORROWED.test(line)), node.name === "gateway-1");
      const { seen, bare } = marked(node);
      assert.equal(seen > 0, node.name === "gateway-1");
      assert.equal(bare, 0);
    }

    for (const node of nodes.all) {
      await node.end("SIGTERM");
      node.uninstall();
      const index = nodes.all.indexOf(node);
      assert.deepEqual(differences(before[index] ?? {}, await node.kernel()), [], node.name);
      const flows = node.shell("conntrack -L -o extended 2>/dev/null");
      assert.doesNotMatch(flows, /mark=(?!0 |1073741824 )/, "no flow has a mark of ours");
    }
  });
}
