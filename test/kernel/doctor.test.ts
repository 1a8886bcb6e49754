// `sluice doctor` on the running kernel, in a network and a mount namespace of its own: a node
// where an agent can run, and the same node with one thing wrong at a time.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { DoctorOptions, Finding } from "../../src/apps/agent/doctor.ts";
import { errorsOf, runChecks } from "../../src/apps/agent/doctor.ts";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { ABI_DIRECTORY } from "../../src/reconcile/datapath-maps.ts";
import { MAIN } from "../support/run-cli.ts";
import { assertValid } from "../support/schema.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell, startPod } from "./private-netns.ts";
import { pinForeign } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? false;
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(`sluice doctor ${title}`, { skip }, body);

const folder = mkdtempSync(join(tmpdir(), "sluice-doctor-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The first bytes of a compiled BPF program; nobody loads it here. */
const object = join(folder, "sluice.bpf.o");
const head = Buffer.alloc(64);
head.writeUInt32BE(0x7f454c46, 0);
head.writeUInt16LE(247, 18);
writeFileSync(object, head);

if (skip === false) shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");

let nodes = 0;
/** A node of its own as far as pins go. */
function node(more: Partial<DoctorOptions> = {}): DoctorOptions {
  const bpfDirectory = join(bpffs.directory, `node-${++nodes}`);
  mkdirSync(bpfDirectory);
  const policyMapDirectory = join(bpfDirectory, "tc/globals");
  const settings = DEFAULT_SETTINGS;
  return { datapath: "sluice", settings, bpfDirectory, policyMapDirectory, object, ...more };
}

async function errors(options: DoctorOptions): Promise<Finding[]> {
  return errorsOf(await runChecks(options));
}

/** The one error that there must be. */
async function theError(options: DoctorOptions): Promise<Finding> {
  const found = await errors(options);
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.notEqual(found[0]?.remedy, "");
  return found[0] as Finding;
}

/** What the kernel has, less what changes by itself. */
function kernelState(): string {
  const lists = ["ip -d link", "ip rule", "ip -6 rule", "ip route show table all"];
  const more = ["nft list ruleset", "tc qdisc show", `ls -R ${bpffs.directory}`];
  return shell([...lists, ...more].join("\n"));
}

kernelTest("finds nothing in the way of an agent, and changes nothing", async () => {
  const options = node();
  const before = kernelState();
  const findings = await runChecks(options);
  assert.deepEqual(errorsOf(findings), []);
  assert.equal(kernelState(), before);
  const checks = [...new Set(findings.map(({ check }) => check))];
  assert.deepEqual(checks, [
    ...["kernel", "capabilities", "libbpf", "bpffs", "bpf-batches", "maps", "tools", "programs"],
    ...["vxlan", "clsact", "policy-routing", "nftables", "nftables-timeouts"],
    ...["cni", "datapath", "marks", "routing"],
    ...["tunnel", "forwarding", "rp_filter", "conntrack", "tracking"],
  ]);
  const few = await runChecks({ ...options, datapath: "none" });
  assert.deepEqual(few, findings.slice(0, few.length));
});

kernelTest("sees a pod's device, and rules that track connections [8.5]", async (t) => {
  const levelOf = async (check: string) =>
    (await runChecks(node())).find((one) => one.check === check)?.level;
  assert.deepEqual([await levelOf("cni"), await levelOf("tracking")], ["warning", "warning"]);
  const pod = await startPod(t);
  shell(`ip link add veth0 type veth peer name eth0 netns ${pod}
    nft 'add table ip other; add chain ip other post { type nat hook postrouting priority 100; }'`);
  // The device may have gone with the pod already.
  t.after(() => shell("nft delete table ip other; ip link delete veth0 2>/dev/null || true"));
  assert.deepEqual([await levelOf("cni"), await levelOf("tracking")], ["ok", "ok"]);
});

kernelTest("names a directory that is in no BPF file system", async () => {
  const outside = node({ bpfDirectory: folder, policyMapDirectory: folder });
  const { check, message, remedy } = await theError(outside);
  assert.equal(check, "bpffs");
  assert.match(message, new RegExp(folder));
  assert.match(remedy, /mount -t bpf/);
});

kernelTest("names maps of another layout, of Cilium's name and of ours", async () => {
  const options = node();
  mkdirSync(options.policyMapDirectory, { recursive: true });
  const { name } = MAP_LAYOUTS.v4_v2;
  const path = join(options.policyMapDirectory, name);
  const shape = { keySize: 12, valueSize: 28, maxEntries: 8 };
  pinForeign(path, shape, []);
  assert.deepEqual(await errors(options), [], "ours, whoever made it");
  rmSync(path);
  pinForeign(path, { ...shape, valueSize: 8 }, []);
  const foreign = await theError(options);
  assert.equal(foreign.check, "maps");
  assert.match(foreign.message, /value 8 bytes.*wanted: .*value 28 bytes/);
  const own = node();
  mkdirSync(join(own.bpfDirectory, ABI_DIRECTORY));
  pinForeign(join(own.bpfDirectory, ABI_DIRECTORY, "sluice_cluster"), shape, []);
  assert.equal((await theError(own)).check, "maps");
});

kernelTest("says of time-outs what nft says, and of its complaint the first line", async (t) => {
  const timeouts = async () => {
    const found = (await runChecks(node())).find(({ check }) => check === "nftables-timeouts");
    assert.ok(found);
    return found;
  };
  const policy = "protocol tcp; l3proto ip; policy = { close : 0 };";
  const script = `add table inet t\nadd ct timeout inet t policy_tcp { ${policy} }\n`;
  const nft = spawnSync("unshare", ["--net", "nft", "-f", "-"], { input: script });
  assert.equal((await timeouts()).level, nft.status === 0 ? "ok" : "warning");
  const bin = join(folder, "refusing");
  mkdirSync(bin);
  const said = "/dev/stdin:2:1-3: Error: Not supported\nadd ct timeout\n^^^^^^";
  writeFileSync(join(bin, "nft"), `#!/bin/sh\necho '${said}' >&2\nexit 1\n`, { mode: 0o755 });
  const path = process.env["PATH"] ?? "";
  t.after(() => (process.env["PATH"] = path));
  process.env["PATH"] = `${bin}${delimiter}${path}`;
  const { level, message } = await timeouts();
  assert.equal(level, "warning");
  assert.match(message, /needs: nft: Error: Not supported; a client that uses a port again/);
});

kernelTest("names the tool that is missing", async (t) => {
  const path = process.env["PATH"] ?? "";
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const tool of ["ip", "bridge", "tc", "conntrack", "unshare", "true", "modprobe"]) {
    const found = path.split(delimiter).find((directory) => existsSync(join(directory, tool)));
    if (found !== undefined) symlinkSync(join(found, tool), join(bin, tool));
  }
  t.after(() => (process.env["PATH"] = path));
  process.env["PATH"] = bin;
  const { check, message, remedy } = await theError(node());
  assert.equal(check, "tools");
  assert.match(message, /^nft is not in PATH/);
  assert.match(remedy, /nftables/);
});

kernelTest("names the datapath of Cilium", async (t) => {
  shell("ip link add cilium_host type veth peer name cilium_net");
  t.after(() => shell("ip link delete cilium_host"));
  const { check, message, remedy } = await theError(node());
  assert.equal(check, "datapath");
  assert.match(message, /Cilium.*cilium_host/);
  assert.match(remedy, /--datapath none/);
  assert.deepEqual(await errors(node({ datapath: "none" })), []);
});

kernelTest("names marks, rules and a port that others use", async (t) => {
  shell("ip rule add fwmark 0x80/0x80 table 7 priority 100");
  t.after(() => shell("ip rule delete priority 100"));
  const found = await errors(node());
  assert.deepEqual(found.map(({ check }) => check), ["marks", "routing"]);
  shell("ip link add other0 type vxlan id 5 dstport 8473");
  t.after(() => shell("ip link delete other0"));
  assert.ok((await errors(node())).some(({ check }) => check === "tunnel"));
});

kernelTest("names old settings and programs that are not built", async (t) => {
  shell("sysctl -qw net.ipv4.ip_forward=0");
  t.after(() => shell("sysctl -qw net.ipv4.ip_forward=1"));
  const found = await errors(node({ object: join(folder, "none.o") }));
  assert.deepEqual(found.map(({ check }) => check), ["programs", "forwarding"]);
});

kernelTest("names the capability that is missing, and says so in its exit status", async () => {
  const { bpfDirectory } = node();
  const doctor = [process.execPath, MAIN, "doctor", "--bpf-dir", bpfDirectory];
  const run = (...command: string[]) => {
    const [tool = "", ...args] = command;
    const { status, stdout } = spawnSync(tool, args, { encoding: "utf8" });
    return { status, stdout };
  };
  const drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
  const dropped = run(...drop, ...doctor, "-o", "json");
  assert.equal(dropped.status, 1);
  const document = JSON.parse(dropped.stdout) as { findings: Finding[] };
  assertValid("doctor", document);
  const missing = document.findings.find(({ check }) => check === "capabilities");
  assert.equal(missing?.level, "error");
  assert.match(missing?.message ?? "", /lacks CAP_NET_ADMIN$/);
  // The control: with it, the exit status is 0, and a person is told the same.
  const whole = run(...doctor, "--datapath", "none");
  assert.equal(whole.status, 0);
  assert.match(whole.stdout, /^ok +capabilities +CAP_NET_ADMIN and CAP_SYS_ADMIN are there$/m);
  assert.match(whole.stdout, /^an agent can run here$/m);
});
