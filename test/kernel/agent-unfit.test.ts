// `sluice agent` where it cannot run: it says why and what to do, ends, and nothing was changed.
// Each case is a node with one thing wrong, in namespaces of this process's own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { MAP_LAYOUTS } from "../../src/plan/map-layout.ts";
import { ABI_DIRECTORY } from "../../src/reconcile/datapath-maps.ts";
import type { Finished } from "../support/run-cli.ts";
import { MAIN, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";
import { objectMissing } from "./datapath-node.ts";
import { differences, readKernelText } from "./kernel-text.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { pinForeign } from "./raw-map.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;
const PORT = 8473;

/** One that is not there ends this; an agent that runs does not end by itself. */
const PATIENCE_MS = 60_000;

if (skip === false) shell("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");

/** What an agent is told, and how it is started. */
interface Start {
  readonly bpf: string;
  readonly state: string;
  readonly source: string;
  readonly status: string;
  readonly metrics: string;
  /** Before the command. */
  readonly wrapper: readonly string[];
  readonly path: string;
}

let nodes = 0;

/** An agent that could run: with an object for its node and free addresses to listen on. */
function startOf(t: TestContext): Start {
  const folder = temporaryFolder(t);
  const bpf = join(bpffs.directory, `node-${++nodes}`);
  mkdirSync(bpf);
  const source = join(folder, "cluster");
  mkdirSync(source);
  writeFileSync(join(source, "node.json"), JSON.stringify(NODE));
  const anywhere = { status: "127.0.0.1:0", metrics: "127.0.0.1:0" };
  const path = process.env["PATH"] ?? "";
  return { bpf, state: join(folder, "state"), source, ...anywhere, wrapper: [], path };
}

const NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "here" },
  spec: { podCIDRs: ["10.244.1.0/24"] },
  status: { addresses: [{ type: "InternalIP", address: "192.0.2.1" }] },
};

/** What the kernel has, and what is pinned. */
function everything({ bpf, state }: Start) {
  const pins = readdirSync(bpf, { recursive: true }).sort().join("\n");
  return { ...readKernelText(shell), pins, state: String(existsSync(state)) };
}

/** Runs an agent until it ends; what it said, once `isEnough` says so. */
async function run(start: Start, isEnough: (said: string) => boolean = () => false) {
  const { bpf, state, source, status, metrics, wrapper, path } = start;
  const words = ["agent", "--source", source, "--node", "here", "--bpf-dir", bpf];
  const more = ["--state-dir", state, "--status-listen", status, "--metrics-listen", metrics];
  const [file = "", ...args] = [...wrapper, process.execPath, MAIN, ...words, ...more];
  const child = spawn(file, args, { cwd: ROOT, env: { PATH: path, LANG: "C.UTF-8" } });
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const before = said;
    said += text;
    if (isEnough(said) && !isEnough(before)) child.kill("SIGTERM");
  });
  const exit = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(late);
  return { exit, said };
}

/** The agent ends with this complaint and this remedy, and leaves everything as it was. */
async function assertRefused(start: Start, complaint: RegExp, remedy: RegExp): Promise<void> {
  const before = everything(start);
  const { exit, said } = await run(start);
  assert.equal(exit, 2, said);
  assert.match(said, complaint);
  assert.match(said, remedy);
  assert.doesNotMatch(said, /^\s+at /m, "a message, and no stack");
  assert.deepEqual(differences(before, everything(start)), []);
}

const agentTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(`sluice agent ${title}`, { skip }, body);

agentTest("runs where nothing is wrong, and then things are changed: the control", async (t) => {
  const start = { ...startOf(t), status: "127.0.0.1:9879" };
  const places = ["--bpf-dir", start.bpf, "--state-dir", start.state];
  const uninstall = () => sluice(["uninstall", "--yes", ...places]);
  assert.deepEqual(uninstall(), { exit: 0, stdout: "nothing of Sluice was here\n", stderr: "" });
  const before = everything(start);
  let beside: Finished | undefined;
  const { exit, said } = await run(start, (text) => {
    if (!/ applied/.test(text)) return false;
    beside ??= uninstall();
    return true;
  });
  assert.equal(exit, 0, said);
  assert.deepEqual([beside?.exit, beside?.stdout], [2, ""]);
  assert.match(beside?.stderr ?? "", /the agent of here runs here and answers at .*\nEnd it first/);
  const changed = differences(before, everything(start)).join("\n");
  for (const part of ["link", "rule", "route", "qdisc", "filter", "nft", "pins"]) {
    assert.match(changed, new RegExp(`^${part}: `, "m"));
  }
  const removed = uninstall();
  assert.equal(removed.exit, 0, removed.stderr);
  for (const part of ["programs", "nftables table sluice", "rules, routes"]) {
    assert.match(removed.stdout, new RegExp(`^removed ${part}`, "m"));
  }
  // The directories of policy maps are anybody's.
  const left = differences(before, everything(start)).filter((line) => !line.startsWith("pins:"));
  assert.deepEqual(left, []);
});

agentTest("names the capabilities that are missing", async (t) => {
  const drop = (...names: string[]) => {
    const set = names.map((name) => `-${name}`).join(",");
    return ["setpriv", `--bounding-set=${set}`, `--inh-caps=${set}`];
  };
  const start = startOf(t);
  const refused = (names: string[], complaint: RegExp) => {
    const remedy = /in a container, add CAP_\w+/;
    return assertRefused({ ...start, wrapper: drop(...names) }, complaint, remedy);
  };
  await refused(["net_admin"], /capabilities: this process lacks CAP_NET_ADMIN;/);
  await refused(["bpf", "sys_admin"], /capabilities: this process lacks CAP_BPF;/);
  await refused(["net_admin", "bpf", "sys_admin"], /lacks CAP_NET_ADMIN and CAP_BPF;/);
});

agentTest("names a kernel that is too old", async (t) => {
  const start = { ...startOf(t), wrapper: ["setarch", "--uname-2.6"] };
  await assertRefused(start, /Linux 2\.6\.\d+\S* is too old/, /5\.13 or newer/);
});

agentTest("names a directory that is in no BPF file system", async (t) => {
  const start = startOf(t);
  const outside = { ...start, bpf: temporaryFolder(t) };
  await assertRefused(outside, /bpffs: .*not in a BPF file system/, /mount -t bpf/);
});

agentTest("names the tool that is missing", async (t) => {
  const tools = ["ip", "bridge", "tc", "nft", "conntrack"];
  const folder = temporaryFolder(t);
  for (const missing of tools) {
    const bin = join(folder, missing);
    mkdirSync(bin);
    for (const tool of [...tools, "unshare", "true", "modprobe"]) {
      const all = (process.env["PATH"] ?? "").split(delimiter);
      const found = all.find((directory) => existsSync(join(directory, tool)));
      if (tool !== missing && found !== undefined) symlinkSync(join(found, tool), join(bin, tool));
    }
    const complaint = new RegExp(`tools: ${missing} is not in PATH`);
    await assertRefused({ ...startOf(t), path: bin }, complaint, /on Debian: \w+/);
  }
});

agentTest("names maps of another layout at its pins", async (t) => {
  const shape = { keySize: 12, valueSize: 8, maxEntries: 8 };
  for (const [directory, name] of [
    ["tc/globals", MAP_LAYOUTS.v4_v2.name],
    [ABI_DIRECTORY, "sluice_cluster"],
  ] as const) {
    const start = startOf(t);
    const path = join(start.bpf, directory);
    mkdirSync(path, { recursive: true });
    pinForeign(join(path, name), shape, []);
    const complaint = new RegExp(`maps: a map of another layout is pinned at ${path}/${name}`);
    await assertRefused(start, complaint, /remove the pin .*or choose another directory/);
  }
});

agentTest("names whoever has the tunnel's port", async (t) => {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(PORT, "0.0.0.0", resolve));
  const remedy = /--tunnel-port, the same on every node/;
  await assertRefused(startOf(t), /tunnel: another program listens on UDP port 8473/, remedy);
});

agentTest("names another tunnel with its port", async (t) => {
  shell(`ip link add other0 type vxlan id 7 dstport ${PORT}`);
  t.after(() => shell("ip link del other0"));
  const complaint = /UDP port 8473 belongs to the vxlan device other0/;
  await assertRefused(startOf(t), complaint, /--tunnel-port, the same on every node/);
});

for (const kind of ["bridge", "vxlan id 9 dstport 4789"]) {
  agentTest(`names a device that has its tunnel's name: ${kind}`, async (t) => {
    shell(`ip link add sluice0 type ${kind}`);
    t.after(() => shell("ip link del sluice0"));
    await assertRefused(startOf(t), /tunnel: a device sluice0 is there/, /rename or remove it/);
  });
}

agentTest("names an address on which it cannot or may not listen", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const taken = `127.0.0.1:${port}`;
  const start = startOf(t);
  const free = /choose another port/;
  await assertRefused({ ...start, status: taken }, /somebody else listens there/, free);
  await assertRefused({ ...start, metrics: taken }, /somebody else listens there/, free);
  const form = /Write both, as in 127\.0\.0\.1:9879/;
  await assertRefused({ ...start, status: "nonsense" }, /nonsense: /, form);
  await assertRefused({ ...start, status: "0.0.0.0:9879" }, /0\.0\.0\.0:9879: .*loopback/, form);
  const strange = { ...start, metrics: "192.0.2.77:1" };
  await assertRefused(strange, /does not have the address/, /0\.0\.0\.0/);
});

agentTest("names a source that it cannot read", async (t) => {
  const start = startOf(t);
  const refused = (source: string, complaint: RegExp, remedy: RegExp) =>
    assertRefused({ ...start, source }, complaint, remedy);
  await refused(`${start.source}/none`, /none: there is no such file/, /check the path/i);
  await refused(`${start.source}/node.json`, /json: this is no directory/, /name a directory/i);
});
