// How long a pod's change takes to reach the kernel: a whole agent, its sources but for the watch,
// on the recipe by which Cilium's egress gateways are measured upstream: 200 nodes, 6 policies,
// 2,000 endpoints that are there, 100 pods more at 20 per second; this node is a gateway of every
// policy, so it holds all of some 13,000 rows.
//
//   npm run --silent bench:latency -- [--json] [--endpoints 2000]      (root; make build)
//
// Milliseconds from the change to the step that has written its rows, median, p99 and longest;
// cpuMs: of this process for each pod; steps: milliseconds of each step of the applier, median.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Agent } from "../src/apps/agent/agent.ts";
import { readKernelState } from "../src/drivers/kernel/ip-list.ts";
import type { ObjectChange } from "../src/model/objects.ts";
import { parseObject } from "../src/model/parse/object.ts";
import { DEFAULT_SETTINGS } from "../src/reconcile/datapath.ts";
import { OBJECT } from "../test/kernel/datapath-node.ts";
import { mountPrivateBpffs } from "../test/kernel/private-bpffs.ts";
import { enterPrivateNetns, shell } from "../test/kernel/private-netns.ts";

const NODES = 200;
const POLICIES = 6;
const ADDED = 100;
const PERIOD_MS = 50;
const SELF = "node-0";
const FIRST_STEP = "tunnel";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    endpoints: { type: "string", default: "2000" },
  },
});
const endpoints = Number(values.endpoints);
const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns();
if (skip !== undefined) throw new Error(skip);
shell(`ip link add under type veth peer name other; ip link set other up
  ip address add 172.20.0.1/16 dev under; ip address add 198.51.100.1/24 dev under
  ip link set under up; ip route add default via 172.20.255.254`);

/** When each step was done, and how long it took. */
const steps = new Map<string, number[]>();
let stepBegun = performance.now();
const begun: number[] = [];
let taken = 0;
const latencies: number[] = [];
const state = mkdtempSync(join(tmpdir(), "sluice-latency-"));
process.on("exit", () => rmSync(state, { recursive: true }));
const agent = new Agent({
  ...{ node: SELF, rows: "needed", distribution: "round-robin", mapSize: 262_144 },
  ...{ clusterCIDRs: [], settings: DEFAULT_SETTINGS, object: OBJECT },
  ...{ bpfDirectory: bpffs.directory, policyMapDirectory: join(bpffs.directory, "maps") },
  ...{ stateDirectory: state, datapath: "sluice", legacyV4: false },
  probe: () => undefined,
  log: () => undefined,
  onStep: note,
});
agent.onKernel(await readKernelState());
agent.onObjects([...nodeObjects(), ...policyObjects(), ...range(endpoints).map(podObject)]);
agent.onObjectsSynced();
while (!agent.view().journal.ready) await sleep(50);
// What a watch of the kernel would say now.
agent.onKernel(await readKernelState());
await sleep(1000);
steps.clear();
const before = process.cpuUsage();
for (let i = 0; i < ADDED; i++) {
  begun.push(performance.now());
  agent.onObjects([podObject(endpoints + i)]);
  await sleep(PERIOD_MS);
}
while (latencies.length < ADDED) await sleep(10);
const { user, system } = process.cpuUsage(before);
print();
await agent.close();

/** A run brings the pods that the turn before it knew; they come in order. */
function note(step: string): void {
  const now = performance.now();
  if (step === FIRST_STEP) taken = (agent.view().desired?.endpoints.length ?? 0) - endpoints;
  else steps.set(step, [...(steps.get(step) ?? []), now - stepBegun]);
  stepBegun = now;
  if (step !== "rows") return;
  latencies.push(...begun.slice(latencies.length, taken).map((at) => now - at));
}

function nodeObjects(): ObjectChange[] {
  return range(NODES).map((i) => {
    const [name, address] = [`node-${i}`, `172.20.${i >> 8}.${(i & 255) + 1}`];
    return parsed({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name } },
      spec: { podCIDRs: [`10.${i >> 4}.${(i & 15) << 4}.0/20`] },
      status: { addresses: [{ type: "InternalIP", address }] },
    });
  });
}

function policyObjects(): ObjectChange[] {
  return range(POLICIES).map((i) =>
    parsed({
      apiVersion: "cilium.io/v2",
      kind: "CiliumEgressGatewayPolicy",
      metadata: { name: `policy-${i}` },
      spec: {
        selectors: [{ podSelector: {} }],
        destinationCIDRs: [`203.0.${i}.0/24`],
        egressGateways: range(2).map((node) => ({
          nodeSelector: { matchLabels: { "kubernetes.io/hostname": `node-${node}` } },
        })),
      },
    }),
  );
}

/** On every node but this one in turn. */
function podObject(i: number): ObjectChange {
  const node = 1 + (i % (NODES - 1));
  const place = Math.floor(i / (NODES - 1));
  const ip = `10.${node >> 4}.${((node & 15) << 4) + Math.floor(place / 250)}.${1 + (place % 250)}`;
  return parsed({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${i}`, namespace: "bench", uid: `uid-${i}` },
    spec: { nodeName: `node-${node}` },
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }] },
  });
}

function parsed(raw: unknown): ObjectChange {
  const result = parseObject(raw);
  if (result.kind !== "object") throw new Error(`no object: ${JSON.stringify(raw)}`);
  return result.change;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function print(): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
  const medians = [...steps].map(([step, times]) => {
    return [step, round(times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN)];
  });
  const { rows, journal } = agent.view();
  const result = {
    ...{ rows, median: at(0.5), p99: at(0.99), longest: round(sorted.at(-1) ?? Number.NaN) },
    ...{ cpuMs: round((user + system) / 1000 / ADDED), turnMs: round(journal.turnMs) },
    steps: Object.fromEntries(medians) as object,
  };
  console.log(values.json ? JSON.stringify(result) : result);
}

function round(ms: number): number {
  return Number(ms.toPrecision(3));
}
