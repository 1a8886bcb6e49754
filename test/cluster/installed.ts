// A cluster with Sluice's manifests in it, and logins with the rights of its agents and controller.

import assert from "node:assert/strict";
import { sluice } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import type { Cluster } from "./cluster.ts";
import type { KubectlRun } from "./kubectl.ts";

const NAMESPACE = "sluice-system";

/** Applies what `sluice manifests` prints and waits until it is in effect. */
export async function installManifests(cluster: Cluster): Promise<void> {
  const { exit, stdout, stderr } = sluice(["manifests"]);
  assert.deepEqual([exit, stderr], [0, ""]);
  const apply = ["apply", "--server-side", "-f", "-"];
  // Objects of a kind that is defined in the same stream may come too early for it.
  const applied = await cluster.tryKubectl(apply, { input: stdout });
  assert.equal(applied.exit, 0, applied.stderr);
  await cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");
  // The admission policy is in effect once it refuses the administrator.
  const state = { input: JSON.stringify(nodeState("nobody")) };
  await until(async () => {
    const { stderr } = await cluster.tryKubectl(["create", "--dry-run=server", "-f", "-"], state);
    return stderr.includes("only Sluice's agents write NodeStates");
  });
}

export function nodeState(name: string) {
  return {
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name },
    status: { interfaces: [{ name: "eth0", ifindex: 2, addresses: ["192.0.2.7/24"] }] },
  };
}

/** Makes a Node with an internal address. */
export async function addNode(cluster: Cluster, name: string, address: string): Promise<void> {
  await cluster.apply({ apiVersion: "v1", kind: "Node", metadata: { name } });
  const status = { addresses: [{ type: "InternalIP", address }] };
  const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
  await cluster.kubectl("patch", "node", name, ...patch);
}

/** The kubeconfig of the agent whose pod runs on a node: its token says so. */
export async function agentLogin(cluster: Cluster, node: string): Promise<string> {
  const name = `agent-${node}`;
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      nodeName: node,
      serviceAccountName: "sluice-agent",
      containers: [{ name: "agent", image: "sluice" }],
    },
  });
  const get = ["get", "pod", "-n", NAMESPACE, name, "-o", "jsonpath={.metadata.uid}"];
  const uid = await cluster.kubectl(...get);
  const bound = ["--bound-object-kind=Pod", `--bound-object-name=${name}`];
  const words = [...bound, `--bound-object-uid=${uid}`];
  const token = await cluster.token(NAMESPACE, "sluice-agent", ...words);
  return cluster.login({ name, token });
}

/** The kubeconfig of a ServiceAccount whose token belongs to no pod. */
export async function accountLogin(cluster: Cluster, account: string): Promise<string> {
  const token = await cluster.token(NAMESPACE, account);
  return cluster.login({ name: account, token });
}

export type Kubectl = (words: readonly string[], object?: object) => Promise<KubectlRun>;

/** kubectl with somebody's rights. */
export function kubectlAs(cluster: Cluster, kubeconfig: string): Kubectl {
  return (words, object) => {
    const input = object === undefined ? "" : JSON.stringify(object);
    return cluster.tryKubectl(words, { kubeconfig, input });
  };
}
