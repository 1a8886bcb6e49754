// What each check makes of what it is shown.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_SETTINGS } from "../../../reconcile/datapath.ts";
import {
  checkConntrackUse,
  checkForwarding,
  checkReversePath,
  checkTracking,
} from "./check-conntrack.ts";
import { checkMarks, checkRouting } from "./check-marks.ts";
import { checkBypass, checkCni, checkTunnel } from "./check-network.ts";
import { checkCapabilities, checkKernel, checkTools } from "./check-process.ts";
import type { Finding } from "./finding.ts";
import type { DoctorLink, NetworkFacts } from "./network-facts.ts";
import { ruleOf } from "./network-facts.ts";

const NOTHING: NetworkFacts = {
  links: [],
  rules: [],
  tables: new Map(),
  programs: [],
  nftables: [],
  iptables: "",
};

function link(name: string, more: Partial<DoctorLink> = {}): DoctorLink {
  return { name, kind: "veth", peerElsewhere: true, master: "", port: 0, external: false, ...more };
}

function levels(findings: readonly Finding[]): string[] {
  for (const { level, message, remedy } of findings) {
    assert.notEqual(message, "");
    assert.equal(remedy === "", level === "ok", `a remedy where there is a problem: ${message}`);
  }
  return findings.map(({ level }) => level);
}

describe("a check of the process", () => {
  test("wants a kernel that writes tries in batches", () => {
    const releases = ["5.10.0-28-amd64", "4.18.0", "5.13.0", "6.8.0-31-generic", "10.1", "odd"];
    const found = levels(releases.map(checkKernel));
    assert.deepEqual(found, ["error", "error", "ok", "ok", "ok", "warning"]);
  });

  test("wants CAP_NET_ADMIN and CAP_BPF, or CAP_SYS_ADMIN, which includes it", () => {
    const [NET_ADMIN, SYS_ADMIN, BPF] = [12, 21, 39];
    const check = (...bits: number[]) => {
      const mask = bits.reduce((all, bit) => all | (1n << BigInt(bit)), 0n).toString(16);
      return checkCapabilities(`Name:\tx\nCapEff:\t${mask.padStart(16, "0")}\n`);
    };
    const enough = [check(NET_ADMIN, BPF), check(NET_ADMIN, SYS_ADMIN)];
    assert.deepEqual(levels(enough), ["ok", "ok"]);
    assert.deepEqual(levels([check(BPF), check(NET_ADMIN)]), ["error", "error"]);
    assert.match(check(SYS_ADMIN).message, /lacks CAP_NET_ADMIN$/);
    assert.match(check().message, /lacks CAP_NET_ADMIN and CAP_BPF$/);
  });

  test("names every tool that is not in PATH", () => {
    const missing = checkTools("/nowhere:");
    assert.deepEqual(levels(missing), ["error", "error", "error", "error", "error"]);
    assert.match(missing[3]?.message ?? "", /^nft is not in PATH/);
    assert.match(missing[3]?.remedy ?? "", /nftables/);
  });
});

describe("a check of the devices", () => {
  test("guesses whose network it is", () => {
    const guess = (...links: DoctorLink[]) => checkCni({ ...NOTHING, links }).message;
    const hardware = link("eth0", { kind: "", peerElsewhere: false });
    assert.match(guess(hardware, link("veth1a2b")), /ptp or kindnet.*1 pod device$/);
    assert.match(guess(link("veth1", { master: "cni0" }), link("veth2")), /bridge.*2 pod devices/);
    const flannel = link("flannel.1", { kind: "vxlan", peerElsewhere: false });
    assert.match(guess(flannel, link("veth1", { master: "cni0" })), /flannel/);
    assert.match(guess(link("cali12345678901")), /Calico/);
    assert.match(guess(link("cilium_host"), link("lxc123456")), /Cilium/);
    assert.equal(checkCni({ ...NOTHING, links: [hardware] }).level, "warning");
  });

  test("refuses datapaths that bypass the stack", () => {
    const program = (device: string, name: string) => ({ device, hook: "ingress" as const, name });
    const check = (...found: (DoctorLink | ReturnType<typeof program>)[]) =>
      checkBypass({
        ...NOTHING,
        links: found.filter((one) => "kind" in one),
        programs: found.filter((one) => "device" in one),
      });
    assert.deepEqual(levels(check(link("veth1"), program("veth1", "sluice_from_pod"))), ["ok"]);
    assert.deepEqual(levels(check(link("cilium_host"))), ["error"]);
    assert.match(check(link("cilium_host"))[0]?.remedy ?? "", /--datapath none/);
    assert.deepEqual(levels(check(program("eth0", "cil_from_netdev"))), ["error"]);
    assert.deepEqual(levels(check(link("bpfin.cali"))), ["error"]);
    assert.deepEqual(levels(check(program("cali1", "cali_tc_preambl"))), ["error"]);
    assert.deepEqual(levels(check(link("veth1"), program("veth1", "shaper"))), ["warning"]);
    // Not a pod's.
    assert.deepEqual(levels(check(link("veth1"), program("eth0", "shaper"))), ["ok"]);
  });

  test("finds the tunnel's port and name taken", () => {
    const check = (links: DoctorLink[], udp = "") =>
      levels(checkTunnel({ ...NOTHING, links }, udp, DEFAULT_SETTINGS));
    const vxlan = { kind: "vxlan", port: 8473 };
    const ours = link("sluice0", { ...vxlan, external: true });
    assert.deepEqual(check([]), ["ok"]);
    assert.deepEqual(check([ours]), ["ok"]);
    assert.deepEqual(check([link("sluice0", vxlan)]), ["error"]);
    assert.deepEqual(check([link("flannel.1", vxlan)]), ["error"]);
    assert.deepEqual(check([link("sluice0", { kind: "dummy" })]), ["error"]);
    const socket = (port: string) =>
      `  sl  local_address\n  120: 00000000:${port} 00000000:0000 07 00000000:00000000\n`;
    assert.deepEqual(check([], socket("2119")), ["error"]);
    // The kernel's own socket, of our own device.
    assert.deepEqual(check([ours], socket("2119")), ["ok"]);
    assert.deepEqual(check([], socket("2118")), ["ok"]);
  });
});

describe("a check of marks and rules", () => {
  const portmap = "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n";

  test("finds bits of ours that others use, and a shift that is free", () => {
    const check = (iptables: string, markShift = 0) =>
      checkMarks({ ...NOTHING, iptables }, { ...DEFAULT_SETTINGS, markShift });
    const kubeProxy = "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n";
    assert.deepEqual(levels(check(kubeProxy)), ["ok"]);
    const found = check(kubeProxy + portmap);
    assert.deepEqual(levels(found), ["error"]);
    assert.match(found[0]?.remedy ?? "", /--mark-shift 16: 0x3fff0000 is free/);
    assert.deepEqual(levels(check(kubeProxy + portmap, 16)), ["ok"]);
    const calico = "-A cali-PREROUTING -m mark --mark 0x10000/0x10000 -j ACCEPT\n";
    assert.match(check(portmap + calico)[0]?.remedy ?? "", /--mark-shift 17/);
  });

  test("warns of what compares or overwrites whole marks", () => {
    const rule = ruleOf({ priority: 200, fwmark: "0x100000", table: "7" });
    const found = checkMarks({ ...NOTHING, rules: [rule] }, DEFAULT_SETTINGS);
    assert.deepEqual(levels(found), ["warning"]);
    const restore = "-A PREROUTING -j CONNMARK --restore-mark\n";
    assert.deepEqual(levels(checkMarks({ ...NOTHING, iptables: restore }, DEFAULT_SETTINGS)), [
      "warning",
    ]);
  });

  test("counts what is too much to tell", () => {
    const iptables = [1, 2, 3, 4, 5].map((n) => `-A C${n} -j MARK --set-xmark 0x1/0x1\n`).join("");
    const found = checkMarks({ ...NOTHING, iptables }, DEFAULT_SETTINGS);
    assert.deepEqual(levels(found), ["error", "error", "error", "error"]);
    assert.equal(found[3]?.message, "2 more uses of that kind");
  });

  test("finds rules and tables where ours go, and knows ours", () => {
    const rules = (...raws: Parameters<typeof ruleOf>[0][]) =>
      levels(checkRouting({ ...NOTHING, rules: raws.map(ruleOf) }, DEFAULT_SETTINGS));
    assert.deepEqual(rules({ priority: 0, src: "all", table: "local" }), ["ok"]);
    const ours = { priority: 90, src: "all", fwmark: "0x1000", fwmask: "0x3000", table: "21000" };
    assert.deepEqual(rules(ours), ["ok"]);
    assert.deepEqual(rules({ ...ours, table: "100" }), ["error"]);
    assert.deepEqual(rules({ priority: 10, src: "all", table: "77" }), ["warning"]);
    assert.deepEqual(rules({ priority: 10, src: "10.0.0.1", table: "77" }), ["ok"]);
    assert.deepEqual(rules({ priority: 32766, src: "all", table: "main" }), ["ok"]);
    const tables = (table: number, protocol: string) =>
      levels(
        checkRouting(
          { ...NOTHING, tables: new Map([[table, new Set([protocol])]]) },
          DEFAULT_SETTINGS,
        ),
      );
    assert.deepEqual(tables(21000, "83"), ["ok"]);
    assert.deepEqual(tables(21000, "3"), ["error"]);
    assert.deepEqual(tables(254, "3"), ["ok"]);
  });
});

describe("a check of connection tracking", () => {
  test("warns of a table that is nearly full", () => {
    const found = [10, 80, 100].map((count) => checkConntrackUse({ count, max: 100 }));
    assert.deepEqual(levels(found), ["ok", "warning", "warning"]);
    assert.equal(checkConntrackUse({ count: undefined, max: undefined }).level, "ok");
  });

  test("says where connections are not tracked yet [8.5]", () => {
    const check = (facts: Partial<NetworkFacts>, count = 0) =>
      checkTracking({ ...NOTHING, ...facts }, { count, max: 100 }, "sluice").level;
    assert.equal(check({}), "warning");
    assert.equal(check({}, 3), "ok");
    assert.equal(check({ iptables: "-A POSTROUTING -j MASQUERADE\n" }), "ok");
    const chain = (table: string) => [{ chain: { family: "inet", table, type: "nat" } }];
    assert.equal(check({ nftables: chain("kindnet") }), "ok");
    // Ours go with the agent's uninstallation.
    assert.equal(check({ nftables: chain("sluice") }), "warning");
    const match = { op: "in", left: { ct: { key: "state" } }, right: "established" };
    const rule = { family: "ip", table: "t", expr: [{ match }] };
    assert.equal(check({ nftables: [{ rule }] }), "ok");
  });
});

describe("a check of forwarding", () => {
  test("wants IPv4 to be forwarded, and tells of IPv6", () => {
    assert.deepEqual(levels(checkForwarding("0\n", "1\n")), ["error"]);
    assert.deepEqual(levels(checkForwarding("1\n", "1\n")), ["ok"]);
    assert.deepEqual(levels(checkForwarding("1\n", "0\n")), ["ok", "warning"]);
    assert.deepEqual(levels(checkForwarding("1\n", undefined)), ["ok"]);
  });

  test("tells the stricter of two reverse path filters", () => {
    const values = new Map([["all", 1], ["default", 2], ["eth0", 2], ["lo", 0], ["veth1", 0]]);
    assert.match(checkReversePath(values).message, /^1 on veth1; 2 on eth0; /);
  });
});
