// `sluice agent --datapath none` as a process: a watched directory on one side, the kernel's policy
// maps on the other.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MAIN, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns } from "./private-netns.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? false;
const kernelTest = (title: string, body: (t: TestContext) => Promise<void>) =>
  test(`sluice agent --datapath none ${title}`, { skip }, body);

/** The machine may be busy. */
const PATIENCE_MS = 60_000;
const GATEWAY = "gateway-1";
/** Rows of its own pods go at once; a gateway keeps rows of others for a while (8.6). */
const WORKER = "worker-2";

/** The example cluster in a folder of its own, and an agent for one of its nodes. */
class Node {
  readonly name: string;
  readonly source: string;
  readonly state: string;
  readonly maps: string;
  #agent: ChildProcess | undefined;
  #log = "";

  constructor(t: TestContext, name = GATEWAY) {
    this.name = name;
    const folder = temporaryFolder(t);
    this.source = join(folder, "cluster");
    this.state = join(folder, "state");
    this.maps = join(bpffs.directory, `maps-${process.hrtime.bigint()}`);
    cpSync(join(ROOT, "examples/cluster"), this.source, { recursive: true });
    cpSync(join(ROOT, "examples/policy.yaml"), join(this.source, "policy.yaml"));
    mkdirSync(this.maps);
    // Runs before the folder is removed: tests undo in reverse.
    t.after(() => this.end("SIGKILL"));
  }

  start(...options: string[]): void {
    const words = ["agent", "--datapath", "none", "--source", this.source, "--node", this.name];
    const pins = ["--map-dir", this.maps, "--bpf-dir", bpffs.directory];
    const places = [...pins, "--state-dir", this.state];
    const listen = ["--status-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    const all = [MAIN, ...words, ...places, ...listen, ...options];
    const agent = spawn(process.execPath, all, { cwd: ROOT });
    agent.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    this.#agent = agent;
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined) return null;
    const ended = new Promise<number | null>((resolve) => agent.once("close", resolve));
    agent.kill(signal);
    return ended;
  }

  /** The entries as `sluice map list` shows them. */
  rows(): string[] {
    const { stdout } = sluice(["map", "list", "--map-dir", this.maps, "-o", "json"]);
    if (stdout === "") return [];
    return (JSON.parse(stdout) as { rows: MapRow[] }).rows.map(renderRow);
  }

  /** Waits until the maps are as wanted. */
  async until(what: string, wanted: (rows: readonly string[]) => boolean): Promise<string[]> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const rows = this.rows();
      if (wanted(rows)) return rows;
      if (performance.now() > deadline) {
        assert.fail(`${what}: never came;\n${rows.join("\n")}\n${this.#log}`);
      }
      await sleep(100);
    }
  }
}

interface MapRow {
  readonly source: string;
  readonly destination: string;
  readonly gatewayIP: string;
}

function renderRow({ source, destination, gatewayIP }: MapRow): string {
  return `${source} ${destination} ${gatewayIP}`;
}

/** What the plan says this node's maps should hold. */
function planned(node: Node, ...options: string[]): string[] {
  const words = ["plan", "-f", node.source, "--node", node.name, "-o", "json"];
  const { stdout } = sluice([...words, ...options]);
  return (JSON.parse(stdout) as { rows: MapRow[] }).rows.map(renderRow);
}

const same = (wanted: readonly string[]) => (rows: readonly string[]) =>
  rows.length === wanted.length && rows.every((row, i) => row === wanted[i]);

kernelTest("writes what the plan says, and follows the directory [7.6, 7.8]", async (t) => {
  const node = new Node(t);
  node.start();
  const before = planned(node);
  assert.ok(before.length > 4, "the example gives this node rows");
  await node.until("the first rows", same(before));

  const pods = join(node.source, "pods-billing.yaml");
  const text = readFileSync(pods, "utf8");
  const [first = ""] = text.split("\n---\n");
  writeFileSync(`${pods}.part`, first);
  renameSync(`${pods}.part`, pods);
  const after = planned(node);
  assert.ok(after.length < before.length, "fewer pods, fewer rows");
  await node.until("the rows of fewer pods", same(after));

  writeFileSync(pods, text);
  await node.until("the rows of before", same(before));
});

kernelTest("keeps rows while a file is half written, and when it is ended", async (t) => {
  const node = new Node(t);
  node.start();
  const wanted = planned(node);
  await node.until("the first rows", same(wanted));
  writeFileSync(join(node.source, "policy.yaml"), "apiVersion: cilium.io/v2\nkind: [Cili");
  await sleep(500);
  assert.deepEqual(node.rows(), wanted);
  assert.equal(await node.end("SIGTERM"), 0);
  assert.deepEqual(node.rows(), wanted);
});

kernelTest("keeps a refused policy's last accepted rows over a restart [2.3]", async (t) => {
  const node = new Node(t, WORKER);
  node.start();
  const wanted = planned(node);
  await node.until("the first rows", same(wanted));
  assert.equal(await node.end("SIGTERM"), 0);
  const policy = join(node.source, "policy.yaml");
  const text = readFileSync(policy, "utf8");
  writeFileSync(policy, text.replace(/destinationCIDRs: .*/, "destinationCIDRs: [nonsense]"));
  assert.deepEqual(planned(node), [], "offline, a refused policy has no rows");
  node.start();
  // A pod more shows that the new process has been at work.
  const pods = join(node.source, "pods-billing.yaml");
  const [first = ""] = readFileSync(pods, "utf8").split("\n---\n");
  writeFileSync(pods, first);
  const rows = await node.until("the rows of fewer pods", (all) => all.length < wanted.length);
  assert.ok(rows.length > 0 && rows.every((row) => wanted.includes(row)));

  // The control: without what is on disk the rows go.
  await node.end("SIGTERM");
  rmSync(node.state, { recursive: true });
  node.start();
  await node.until("no rows", (all) => all.length === 0);
});

kernelTest("removes a policy that was deleted while it was down [7.8]", async (t) => {
  const node = new Node(t, WORKER);
  node.start();
  await node.until("the first rows", same(planned(node)));
  await node.end("SIGKILL");
  rmSync(join(node.source, "policy.yaml"));
  assert.ok(node.rows().length > 0, "rows stand while nobody looks");
  node.start();
  await node.until("no rows", (all) => all.length === 0);
});

kernelTest("admits whole endpoints where the maps are too small [7.9]", async (t) => {
  const node = new Node(t);
  const all = planned(node);
  const size = ["--map-size", "5"];
  const admitted = planned(node, ...size);
  assert.ok(admitted.length > 0 && admitted.length < all.length);
  node.start(...size);
  await node.until("the rows of those that fit", same(admitted));
});
