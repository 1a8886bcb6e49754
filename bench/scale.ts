// What a large cluster costs an agent: thousands of nodes and tens of thousands of pods in a real
// API server; from the start to the last row, memory, and CPU while pods come and go.
//
//   node bench/scale.ts [--nodes N] [--pods N] [--policies N] [--seconds N] [--json]

import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KubeConnection } from "../src/drivers/kube/connection.ts";
import { deleteObject } from "../src/drivers/kube/objects.ts";
import type { Resource } from "../src/drivers/kube/resource.ts";
import { startCluster } from "../test/cluster/cluster.ts";
import type { Cluster } from "../test/cluster/cluster.ts";
import { define, NODE_STATES, POLICIES } from "../test/cluster/definitions.ts";
import type { Stored } from "../test/cluster/etcd.ts";
import { Filler } from "../test/cluster/fill.ts";
import { mountPrivateBpffs } from "../test/kernel/private-bpffs.ts";
import { ROOT } from "../test/support/run-cli.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "5000" },
    pods: { type: "string", default: "50000" },
    policies: { type: "string", default: "100" },
    seconds: { type: "string", default: "30" },
    json: { type: "boolean", default: false },
  },
});
const SIZE = {
  nodes: Number(values.nodes),
  pods: Number(values.pods),
  policies: Number(values.policies),
};
const CHURN = { seconds: Number(values.seconds), podsPerSecond: 100 };
const GATEWAYS = 10;
const DESTINATIONS = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"];
const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

const ends: (() => Promise<void> | void)[] = [];
const lifetime = { after: (end: () => Promise<void> | void) => void ends.push(end) };
const tell = (text: string) => void process.stderr.write(`${text}\n`);

const BATCH = 1_000;

interface Measured {
  readonly node: string;
  readonly rows: number;
  readonly secondsToReady: number;
  readonly rssMB: number;
  readonly rssPeakMB: number;
  /** While pods come and go; of one core. */
  readonly cpuPercent: number;
  readonly rssAfterMB: number;
}

async function main(): Promise<void> {
  const bpffs = mountPrivateBpffs();
  if (bpffs.skip !== undefined) throw new Error(bpffs.skip);
  const cluster = await startCluster(lifetime, { flags: ["--max-requests-inflight", "2000"] });
  await define(cluster, POLICIES, NODE_STATES);
  const filler = new Filler(cluster);
  lifetime.after(() => filler.close());
  const began = performance.now();
  await filler.create([namespaceOf(), ...policies()]);
  // By the API this would take most of an hour.
  await cluster.restore(nodes().map((object) => stored("minions", object)));
  for (let i = 0; i < SIZE.pods; i += BATCH) {
    const count = Math.min(BATCH, SIZE.pods - i);
    const some = Array.from({ length: count }, (_, n) => podOf(i + n));
    await cluster.restore(some.map((object) => stored("pods/scale", object)));
  }
  tell(`filled in ${seconds(began)} s`);
  const agents = [];
  for (const node of ["node-0", "gateway-0"]) {
    agents.push(await Agent.start(cluster, { node, bpffs: bpffs.directory }));
  }
  for (const agent of agents) agent.beginCpu();
  await churn(cluster, filler);
  const measured = agents.map((agent) => agent.measure());
  const machine = { cpu: cpus()[0]?.model ?? "", cores: cpus().length };
  if (values.json) console.log(JSON.stringify({ machine, ...SIZE, churn: CHURN, measured }));
  else console.table(measured);
}

function stored(place: string, object: Nameable): Stored {
  const { metadata } = object;
  const creationTimestamp = "2026-01-01T00:00:00Z";
  const whole = { ...object, metadata: { ...metadata, uid: randomUUID(), creationTimestamp } };
  return { key: `${place}/${metadata.name}`, object: whole };
}

interface Nameable {
  readonly [field: string]: unknown;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
}

function namespaceOf() {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: "scale" } };
}

/** Ordinary nodes and gateways, as a kubelet writes them in what matters here. */
function nodes(): Nameable[] {
  const nodeOf = (name: string, i: number, labels: object) => {
    const address = `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
    return {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
      status: { addresses: [{ type: "InternalIP", address }] },
    };
  };
  const workers = Array.from({ length: SIZE.nodes - GATEWAYS }, (_, i) => {
    return nodeOf(`node-${i}`, i, {});
  });
  const gateways = Array.from({ length: GATEWAYS }, (_, i) => {
    return nodeOf(`gateway-${i}`, SIZE.nodes + i, { gateway: `g${i}` });
  });
  return [...workers, ...gateways];
}

function policies(): object[] {
  return Array.from({ length: SIZE.policies }, (_, i) => ({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: `policy-${i}` },
    spec: {
      selectors: [{ podSelector: { matchLabels: { group: `g${i}` } } }],
      destinationCIDRs: DESTINATIONS,
      egressGateways: [0, 1, 2].map((place) => {
        return { nodeSelector: { matchLabels: { gateway: `g${(i + place) % GATEWAYS}` } } };
      }),
    },
  }));
}

/** A pod with the fields that real ones are full of. */
function podOf(i: number, name = `pod-${i}`): Nameable {
  const node = `node-${i % (SIZE.nodes - GATEWAYS)}`;
  const group = `g${i % SIZE.policies}`;
  const podIP = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  const labels = { group, app: `app-${i % 500}`, "pod-template-hash": `${i % 500}abcdef` };
  const value = "x".repeat(60);
  const env = Array.from({ length: 20 }, (_, n) => ({ name: `SETTING_${n}`, value }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "scale", labels, annotations: { about: "y".repeat(500) } },
    spec: { nodeName: node, containers: [{ name: "main", image: "registry/app:1", env }] },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  };
}

/** Pods come and go: each second as many are made, and the oldest of them deleted. */
async function churn(cluster: Cluster, filler: Filler): Promise<void> {
  const place = { kind: "kubeconfig", path: cluster.kubeconfig, context: undefined } as const;
  const connection = new KubeConnection(place);
  lifetime.after(() => connection.close());
  const began = performance.now();
  let made = 0;
  for (let second = 0; second < CHURN.seconds; second++) {
    const names = Array.from({ length: CHURN.podsPerSecond }, (_, i) => `new-${made + i}`);
    await filler.create(names.map((name, i) => podOf(SIZE.pods + made + i, name)));
    made += names.length;
    const old = names.map((_, i) => `new-${made - 5 * CHURN.podsPerSecond + i}`);
    if (second >= 5) {
      await Promise.all(old.map((name) => {
        return deleteObject(connection, PODS, { name, namespace: "scale" }, { graceSeconds: 0 });
      }));
    }
    await sleep(Math.max(0, began + (second + 1) * 1000 - performance.now()));
  }
  tell(`${made} pods came in ${seconds(began)} s`);
}

class Agent {
  readonly #node: string;
  readonly #child: ChildProcess;
  readonly #maps: string;
  readonly #ready: { readonly seconds: number; readonly rssMB: number; readonly peakMB: number };
  #cpu = { seconds: 0, at: 0 };

  /** Starts one and waits until its rows are written. */
  static async start(
    cluster: Cluster,
    { node, bpffs }: { readonly node: string; readonly bpffs: string },
  ): Promise<Agent> {
    const state = mkdtempSync(join(tmpdir(), "sluice-scale-"));
    const maps = join(bpffs, node);
    mkdirSync(maps);
    const began = performance.now();
    const listen = ["--status-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    const places = ["--map-dir", maps, "--bpf-dir", bpffs, "--state-dir", state];
    const source = ["--kubeconfig", cluster.kubeconfig, "--datapath", "none", "--node", node];
    const words = ["agent", ...source, ...places, ...listen];
    const child = spawn(join(ROOT, "bin/sluice"), words, { stdio: ["ignore", "ignore", "pipe"] });
    lifetime.after(() => {
      child.kill("SIGKILL");
      rmSync(state, { recursive: true, force: true });
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    while (!/ applied\b/.test(log)) {
      if (child.exitCode !== null) throw new Error(log);
      await sleep(10);
    }
    const spent = Number(seconds(began));
    await sleep(5_000);
    const { VmRSS: rssMB, VmHWM: peakMB } = memoryOf(child.pid as number);
    tell(`the agent of ${node} is ready after ${spent} s, ${rssMB} MB`);
    return new Agent({ node, child, maps, ready: { seconds: spent, rssMB, peakMB } });
  }

  private constructor({ node, child, maps, ready }: AgentParts) {
    this.#node = node;
    this.#child = child;
    this.#maps = maps;
    this.#ready = ready;
  }

  beginCpu(): void {
    this.#cpu = { seconds: cpuSecondsOf(this.#child.pid as number), at: performance.now() };
  }

  measure(): Measured {
    const pid = this.#child.pid as number;
    const spent = cpuSecondsOf(pid) - this.#cpu.seconds;
    const wall = (performance.now() - this.#cpu.at) / 1000;
    const words = ["map", "list", "--map-dir", this.#maps, "-o", "json"];
    const text = execFileSync(join(ROOT, "bin/sluice"), words, { maxBuffer: 2 ** 28 }).toString();
    return {
      node: this.#node,
      rows: (JSON.parse(text) as { rows: unknown[] }).rows.length,
      secondsToReady: this.#ready.seconds,
      rssMB: this.#ready.rssMB,
      rssPeakMB: this.#ready.peakMB,
      cpuPercent: Math.round((100 * spent) / wall),
      rssAfterMB: memoryOf(pid).VmRSS,
    };
  }
}

interface AgentParts {
  readonly node: string;
  readonly child: ChildProcess;
  readonly maps: string;
  readonly ready: { readonly seconds: number; readonly rssMB: number; readonly peakMB: number };
}

/** Of /proc/PID/status, in MB. */
function memoryOf(pid: number): { readonly VmRSS: number; readonly VmHWM: number } {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (name: string) => {
    return Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024);
  };
  return { VmRSS: of("VmRSS"), VmHWM: of("VmHWM") };
}

/** User and system time, from /proc/PID/stat in ticks of 10 ms. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

async function end(): Promise<void> {
  for (const one of ends.splice(0).reverse()) await one();
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void end().then(() => process.exit(130)));
}
try {
  await main();
} finally {
  await end();
}
