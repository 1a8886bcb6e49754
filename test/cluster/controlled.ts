// A cluster with Sluice's manifests and a few nodes, and controllers that run in this process.

import type { TestContext } from "node:test";
import type { RunOptions } from "../../src/apps/controller/run.ts";
import { runController } from "../../src/apps/controller/run.ts";
import { sluice } from "../support/run-cli.ts";
import type { Cluster } from "./cluster.ts";
import { startCluster } from "./cluster.ts";
import { addNode, installManifests } from "./installed.ts";

export const NODES = ["gw-1", "gw-2", "worker-1"] as const;
/** No patience: what takes minutes in a cluster takes seconds. */
export const FAST = {
  settleMs: 50,
  tickMs: 200,
  statusIntervalMs: 100,
  silentMs: 60_000,
  graceMs: 2_000,
  leaseMs: 2_000,
};

/** Selects the pods of the shop, and lists these hosts as gateways. */
export function policy(name: string, hosts: readonly string[], fields: object = {}) {
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name },
    spec: {
      selectors: [{ podSelector: { matchLabels: { app: "shop" } } }],
      destinationCIDRs: ["203.0.113.0/24"],
      egressGateways: hosts.map((host) => ({ nodeSelector: { matchLabels: { host } } })),
      ...fields,
    },
  };
}

/** Runs a controller until the test ends it; gives what it said. */
export function startController(t: TestContext, kubeconfig: string, options: Partial<RunOptions>) {
  const stop = new AbortController();
  const said: string[] = [];
  const running = runController({
    place: { kind: "kubeconfig", path: kubeconfig, context: undefined },
    endpoints: "auto",
    distribution: "round-robin",
    rows: "needed",
    mapSize: 1_000,
    namespace: "sluice-system",
    identity: "one",
    metricsListen: "127.0.0.1:0",
    pace: FAST,
    signal: stop.signal,
    tell: (line) => void said.push(line),
    ...options,
  });
  const end = () => {
    stop.abort();
    return running;
  };
  t.after(end);
  return { said: () => said.join(""), end };
}

/** Manifests are in effect, and each node has its name as the label `host`. */
export async function prepareCluster(t: TestContext): Promise<Cluster> {
  const cluster = await startCluster(t);
  const crds = sluice(["manifests", "--part", "crds"]).stdout;
  await cluster.tryKubectl(["apply", "--server-side", "-f", "-"], { input: crds });
  await installManifests(cluster);
  for (const [i, node] of NODES.entries()) {
    await addNode(cluster, node, `192.0.2.${i + 1}`);
    await cluster.kubectl("label", "node", node, `host=${node}`);
  }
  return cluster;
}

/** A pod with an address on the worker. */
export async function addPod(cluster: Cluster, number: number): Promise<void> {
  const name = `shop-${number}`;
  const metadata = { name, namespace: "default", labels: { app: "shop" } };
  const containers = [{ name: "c", image: "i" }];
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { nodeName: "worker-1", containers },
  });
  const podIP = `10.0.0.${number}`;
  const status = { podIP, podIPs: [{ ip: podIP }], phase: "Running" };
  const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
  await cluster.kubectl("patch", "pod", name, ...patch);
}
