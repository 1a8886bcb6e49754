// The rights of agents and controller, as a real API server enforces them: each can do what it is
// there for, and a stolen token no more. Whatever is refused, an administrator may: the control.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { Issue } from "../../src/model/issue.ts";
import { sluice } from "../support/run-cli.ts";
import { missingForCluster } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { startCluster } from "./cluster.ts";
import { CALICO_POOLS, define } from "./definitions.ts";
import type { Kubectl } from "./installed.ts";
import {
  accountLogin,
  addNode,
  agentLogin,
  installManifests,
  kubectlAs,
  nodeState,
} from "./installed.ts";
import { ACCEPTED, policyOf } from "./policy-samples.ts";
import type { PolicySample } from "./policy-samples.ts";
import { watchCluster } from "./watching.ts";

const POLICY = policyOf(ACCEPTED[0] as PolicySample);
const { apiVersion, kind, metadata } = POLICY;
const STATUS = { apiVersion, kind, metadata, status: { endpoints: 1 } };
const OTHER_SPEC = policyOf({ ...(ACCEPTED[1] as PolicySample), name: metadata.name });
const SYSTEM = ["-n", "sluice-system"];

interface Attempt {
  readonly what: string;
  readonly words: readonly string[];
  readonly object?: object;
}

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "thief", namespace: "kube-system" },
  spec: { containers: [{ name: "thief", image: "thief" }] },
};
const labelled = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-b", labels: { gateway: "a" } },
};
const event = {
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "told", namespace: "default" },
  involvedObject: { kind: "CiliumEgressGatewayPolicy", name: POLICY.metadata.name },
};
const dryRun = "--dry-run=server";
/** One request, a patch: kubectl's other ways begin with a get, which may be refused already. */
const APPLY = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
const TRY = [...APPLY, dryRun];

/** What somebody with more rights than ours could do. */
const WRITES: readonly Attempt[] = [
  { what: "create a policy", words: ["create", dryRun, "-f", "-"], object: named(POLICY, "new") },
  { what: "delete a policy", words: ["delete", dryRun, "cegp", POLICY.metadata.name] },
  { what: "change a policy", words: TRY, object: OTHER_SPEC },
  { what: "create a pod", words: ["create", dryRun, "-f", "-"], object: pod },
  { what: "delete a pod", words: ["delete", dryRun, "pod", ...SYSTEM, "agent-node-a"] },
  { what: "read secrets", words: ["get", "secrets", "-A"] },
  { what: "label a node", words: TRY, object: labelled },
  { what: "read another lease", words: ["get", "lease", ...SYSTEM, "another"] },
  { what: "make a token", words: ["create", "token", ...SYSTEM, "sluice-agent"] },
  { what: "delete a NodeState", words: ["delete", dryRun, "nodestate", "node-a"] },
];

function leaseOf(name: string) {
  const metadata = { name, namespace: "sluice-system" };
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata };
}

function named(object: { metadata: object }, name: string): object {
  return { ...object, metadata: { name } };
}

async function refusedAll(kubectl: Kubectl, attempts: readonly Attempt[]): Promise<void> {
  for (const { what, words, object } of attempts) {
    const { exit, stderr } = await kubectl(words, object);
    assert.equal(exit, 1, what);
    assert.match(stderr, /\(Forbidden\)|forbidden/, what);
  }
}

async function allowedAll(kubectl: Kubectl, attempts: readonly Attempt[]): Promise<void> {
  for (const { what, words, object } of attempts) {
    const { exit, stderr } = await kubectl(words, object);
    assert.equal(exit, 0, `${what}: ${stderr}`);
  }
}

const lists = (...resources: string[]): Attempt[] => {
  return resources.map((one) => ({ what: `list ${one}`, words: ["get", one, "-A"] }));
};
const READ = lists("pods", "namespaces", "nodes", "services", "servicecidrs", "cegp");

/** A cluster with manifests, a policy, two nodes and another's lease. */
async function prepare(t: TestContext): Promise<Cluster> {
  const cluster = await startCluster(t);
  const { stdout } = sluice(["manifests", "--part", "crds"]);
  const crds = await cluster.tryKubectl(["apply", "--server-side", "-f", "-"], { input: stdout });
  assert.equal(crds.exit, 0, crds.stderr);
  await installManifests(cluster);
  await cluster.apply(POLICY);
  await cluster.apply(leaseOf("another"));
  for (const [i, node] of ["node-a", "node-b"].entries()) {
    await addNode(cluster, node, `192.0.2.${i + 1}`);
  }
  return cluster;
}

async function provesWatches(t: TestContext, cluster: Cluster): Promise<void> {
  const controller = await accountLogin(cluster, "sluice-controller");
  const watchers = [
    { kubeconfig: await agentLogin(cluster, "node-a"), nodeStates: false },
    { kubeconfig: controller, nodeStates: true },
  ];
  const prove = async (pools: number) => {
    for (const { kubeconfig, nodeStates } of watchers) {
      const issues: Issue[] = [];
      const onIssues = (some: readonly Issue[]) => void issues.push(...some);
      const onChanges = () => undefined;
      const watch = watchCluster(kubeconfig, { nodeStates, onIssues, onChanges });
      await watch.synced;
      await watch.close();
      assert.deepEqual(issues, []);
      assert.equal(watch.counts().get("IPPool"), pools);
    }
  };
  await t.test("agents and controller may watch all that they watch", () => prove(0));

  await t.test("and what Calico's own API server serves, where there is one", async () => {
    await define(cluster, CALICO_POOLS);
    const { group, version, kind } = CALICO_POOLS;
    const type = { apiVersion: `${group}/${version}`, kind };
    await cluster.apply({ ...type, metadata: { name: "p" }, spec: { cidr: "10.244.0.0/16" } });
    await prove(1);
  });
}

test("rights", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await prepare(t);
  const admin = kubectlAs(cluster, cluster.kubeconfig);
  await provesWatches(t, cluster);
  const agent = kubectlAs(cluster, await agentLogin(cluster, "node-a"));
  const unbound = kubectlAs(cluster, await accountLogin(cluster, "sluice-agent"));
  const controller = kubectlAs(cluster, await accountLogin(cluster, "sluice-controller"));

  await t.test("kubectl's dry run accepts every manifest", async () => {
    const input = sluice(["manifests"]).stdout;
    const words = ["apply", "--server-side", dryRun, "-f", "-"];
    const { exit, stdout, stderr } = await cluster.tryKubectl(words, { input });
    assert.deepEqual([exit, stderr], [0, ""]);
    assert.ok(stdout.trim().split("\n").length >= 18);
  });

  await t.test("an agent reads what it plans with and writes its own NodeState", async () => {
    const node = { what: "get its node", words: ["get", "node", "node-a"] };
    await allowedAll(agent, [...READ, node]);
    for (const ifindex of [2, 3]) {
      const state = { ...nodeState("node-a"), status: { interfaces: [{ name: "e", ifindex }] } };
      const { exit, stderr } = await agent(APPLY, state);
      assert.equal(exit, 0, stderr);
    }
  });

  await t.test("a stolen token writes no other node's NodeState", async () => {
    const other = await agent(APPLY, nodeState("node-b"));
    assert.match(other.stderr, /NodeState node-b is written by the agent of that node only/);
    assert.match(other.stderr, /this token belongs to node-a/);
    const nobody = await unbound(APPLY, nodeState("node-a"));
    assert.match(nobody.stderr, /this token belongs to no node/);
    // Not even an administrator, who could delete the admission policy; the agents alone know.
    const anybody = await admin(APPLY, nodeState("node-b"));
    assert.match(anybody.stderr, /only Sluice's agents write NodeStates/);
    const right = kubectlAs(cluster, await agentLogin(cluster, "node-b"));
    const { exit, stderr } = await right(APPLY, nodeState("node-b"));
    assert.equal(exit, 0, `the control: ${stderr}`);
  });

  await t.test("a stolen agent's token writes nothing else", async () => {
    const attempts: Attempt[] = [
      ...WRITES,
      { what: "write a status", words: [...TRY, "--subresource=status"], object: STATUS },
      { what: "make an event", words: ["create", dryRun, "-f", "-"], object: event },
      { what: "read NodeStates", words: ["get", "nodestates"] },
    ];
    await refusedAll(agent, attempts);
    await allowedAll(admin, attempts);
  });

  await t.test("the controller writes status, events, its lease, nothing else", async () => {
    const lease = leaseOf("sluice-controller");
    await allowedAll(controller, [
      ...READ,
      ...lists("nodestates"),
      { what: "write a status", words: [...APPLY, "--subresource=status"], object: STATUS },
      { what: "make an event", words: ["create", "-f", "-"], object: event },
      { what: "make its lease", words: ["create", "-f", "-"], object: lease },
      { what: "renew it", words: APPLY, object: lease },
    ]);
    const attempts: Attempt[] = [
      ...WRITES,
      { what: "take another lease", words: APPLY, object: leaseOf("another") },
    ];
    await refusedAll(controller, attempts);
    await allowedAll(admin, attempts.filter(({ what }) => !what.startsWith("delete a pol")));
    assert.match((await controller(APPLY, nodeState("node-a"))).stderr, /[Ff]orbidden/);
  });
});
