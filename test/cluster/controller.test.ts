// The controller in a real API server, with the rights of its ServiceAccount. The nodes' agents are
// played: what they would acknowledge follows from their own engines' rows.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { sluice } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { CILIUM_DEFINITION } from "./cilium-definition.ts";
import type { Cluster } from "./cluster.ts";
import { freePort, startCluster } from "./cluster.ts";
import { addPod, NODES, policy, prepareCluster, startController } from "./controlled.ts";
import { accountLogin, addNode, agentLogin } from "./installed.ts";
import { PlayedAgents } from "./played-agents.ts";

interface Status {
  readonly observedGeneration: number;
  readonly endpoints: number;
  readonly resolved: string;
  readonly gateways: readonly { readonly node: string; readonly endpoints: number }[];
  readonly nodes: { readonly summary: string; readonly lagging: readonly string[] };
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly observedGeneration: number;
  }[];
}

async function statusOf(cluster: Cluster, name: string): Promise<Status | undefined> {
  const printed = await cluster.kubectl("get", "cegp", name, "-o", "json");
  return (JSON.parse(printed) as { status?: Status }).status;
}

/** `True Programmed`, `False NodesLag`. */
function judged(status: Status | undefined, type: string): string {
  const found = status?.conditions.find((one) => one.type === type);
  return found === undefined ? "none" : `${found.status} ${found.reason}`;
}

/** Waits until the policy's condition is so; gives the whole status. */
async function becomes(
  cluster: Cluster,
  name: string,
  type: string,
  wanted: string,
): Promise<Status> {
  let status: Status | undefined;
  const holds = async () => judged((status = await statusOf(cluster, name)), type) === wanted;
  await until(holds, { shown: () => JSON.stringify(status), pollMs: 100 });
  return status as Status;
}

test("the controller", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await prepareCluster(t);
  const login = await accountLogin(cluster, "sluice-controller");
  const controller = startController(t, login, {});
  const agents = await PlayedAgents.start(t, cluster, NODES, (node) => agentLogin(cluster, node));
  for (const number of [1, 2, 3]) await addPod(cluster, number);
  await followsNodes(t, cluster, agents);
  await judgesPolicies(t, cluster);
  await isOne(t, cluster, { login, first: controller });
});

async function followsNodes(
  t: TestContext,
  cluster: Cluster,
  agents: PlayedAgents,
): Promise<void> {

  await t.test("says what became of a policy, per gateway, on which nodes [1.7]", async () => {
    await cluster.apply(policy("shop", ["gw-1", "gw-2"]));
    const behind = await becomes(cluster, "shop", "Programmed", "False NodesLag");
    assert.equal(behind.nodes.summary, "0/3");
    assert.deepEqual([...behind.nodes.lagging].sort(), [...NODES].sort());
    await agents.acknowledge();
    const status = await becomes(cluster, "shop", "Programmed", "True Programmed");
    assert.deepEqual([status.endpoints, status.resolved, status.nodes.summary], [3, "2/2", "3/3"]);
    const shares = status.gateways.map(({ node, endpoints }) => `${node} ${endpoints}`);
    assert.deepEqual(shares, ["gw-1 2", "gw-2 1"]);
    assert.equal(judged(status, "Accepted"), "True Valid");
    assert.equal(judged(status, "ResolvedRefs"), "True Resolved");
    assert.ok(status.conditions.every((one) => one.observedGeneration === 1));
    const shown = await cluster.kubectl("get", "cegp", "shop");
    assert.match(shown, /shop +2\/2 +3 +True +True +True/);
    const { exit, stdout } = sluice(["status", "--kubeconfig", cluster.kubeconfig]);
    assert.equal(exit, 0, stdout);
  });

  await t.test("a node that holds other rows shows, after a while [5.1]", async () => {
    await addPod(cluster, 4);
    await agents.acknowledge(["gw-1", "gw-2"]);
    const status = await becomes(cluster, "shop", "Programmed", "False NodesLag");
    assert.deepEqual(status.nodes.lagging, ["worker-1"]);
    assert.match(JSON.stringify(status.conditions), /worker-1: it holds 3 rows, should hold 4/);
    const question = ["shop-1", "203.0.113.1", "--kubeconfig", cluster.kubeconfig];
    const behind = sluice(["explain", ...question]).stdout.replaceAll(/\s+/g, " ");
    assert.match(behind, /^Traffic .* should leave with 198\.51\.100\.1, by gateway gw-1, but/);
    assert.match(behind, /worker-1 has not taken over this: it holds 3 rows, should hold 4, heard/);
    await agents.acknowledge();
    await becomes(cluster, "shop", "Programmed", "True Programmed");
    const even = sluice(["explain", ...question]).stdout.replaceAll(/\s+/g, " ");
    assert.match(even, /worker-1 shop: generation 1 with 4 rows, as it should be; heard/);
    assert.doesNotMatch(even, /has not taken over/);
  });

}

async function judgesPolicies(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("a refused version leaves the one before in force, and says so [2.3]", async () => {
    const annotation = ["annotate", "--overwrite", "cegp", "shop"];
    await cluster.kubectl(...annotation, "sluice.dev/distribution=fair");
    const status = await becomes(cluster, "shop", "Accepted", "False InvalidDistribution");
    assert.match(JSON.stringify(status.conditions), /accepted before stays in force/);
    assert.equal(status.endpoints, 4);
    await cluster.kubectl(...annotation, "sluice.dev/distribution=round-robin");
    await becomes(cluster, "shop", "Accepted", "True Valid");
  });

  await t.test("an entry without a node is a condition, and an event for people", async () => {
    await cluster.apply(policy("shop", ["gw-1", "nowhere"]));
    const status = await becomes(cluster, "shop", "ResolvedRefs", "False GatewayUnresolved");
    assert.deepEqual([status.observedGeneration, status.resolved], [2, "1/2"]);
    const events = () => cluster.kubectl("describe", "cegp", "shop");
    await until(async () => {
      const told = /GatewayUnresolved .* spec\.egressGateways\[1\]\.nodeSelector: no .*=nowhere/;
      return told.test(await events());
    });
  });

  await t.test("a gateway without its egress IP is a condition, a column and exit 1", async () => {
    const [entry] = policy("shop", ["gw-1"]).spec.egressGateways;
    const egressGateways = [{ ...entry, egressIP: "192.0.2.99" }];
    await cluster.apply(policy("shop", [], { egressGateways }));
    const status = await becomes(cluster, "shop", "ResolvedRefs", "False NoEgressIP");
    const message = "gateway gw-1 drops this traffic: no interface has the egressIP 192.0.2.99";
    assert.ok(JSON.stringify(status.conditions).includes(message));
    assert.match(await cluster.kubectl("get", "cegp", "shop"), /shop +1\/1 +4 +True +False +/);
    const { exit, stdout } = sluice(["status", "--kubeconfig", cluster.kubeconfig]);
    assert.equal(exit, 1, stdout);
    assert.match(stdout, /shop +1\/1 +4 +True +False/);
    assert.ok(stdout.replaceAll(/\s+/g, " ").includes(`ResolvedRefs: ${message}`), stdout);
  });

  await t.test("the loser of identical prefixes names the winner [7.3]", async () => {
    await cluster.apply(policy("younger", ["gw-2"]));
    const status = await becomes(cluster, "younger", "Conflicted", "True IdenticalRow");
    assert.match(JSON.stringify(status.conditions), /the older policy shop wins 203\.0\.113\.0/);
    assert.equal(judged(status, "Programmed"), "True NotNeeded");
    await cluster.kubectl("delete", "cegp", "younger");
  });

}

interface Active {
  readonly login: string;
  readonly first: ReturnType<typeof startController>;
}

async function isOne(t: TestContext, cluster: Cluster, { login, first }: Active): Promise<void> {
  await t.test("one is active; another follows when it ends", async () => {
    assert.match(first.said(), / active identity="one"/);
    const other = startController(t, login, { identity: "two" });
    await until(() => other.said().includes(" started "));
    await cluster.apply(policy("shop", ["gw-1", "gw-2"]));
    await becomes(cluster, "shop", "ResolvedRefs", "True Resolved");
    assert.doesNotMatch(other.said(), / active /);
    await first.end();
    await until(() => / active identity="two"/.test(other.said()));
    await cluster.apply(policy("shop", ["gw-2"]));
    await until(async () => (await statusOf(cluster, "shop"))?.observedGeneration === 5);
    assert.doesNotMatch(first.said() + other.said(), /error=/);
    await other.end();
  });

  await t.test("without one nothing that it said counts any more", async () => {
    await cluster.apply(policy("shop", ["gw-1"]));
    const { exit, stdout } = sluice(["status", "--kubeconfig", cluster.kubeconfig]);
    assert.equal(exit, 1);
    assert.match(stdout, /^No controller has judged since 2\S+Z \(\d+ s ago\)\.\n/);
    assert.match(stdout, /shop +1\/1 +4 +not judged +not judged +not judged/);
    assert.match(stdout, /generation 6 is not judged yet, only 5/);
  });
}

test("where the definition of policies is Cilium's", {
  skip: missingForCluster() ?? false,
}, async (t) => {
  const cluster = await startCluster(t);
  await cluster.apply(CILIUM_DEFINITION);
  await cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");
  const question = ["status", "--kubeconfig", cluster.kubeconfig];
  const absent = sluice(question);
  assert.equal(absent.exit, 2);
  assert.match(absent.stderr, /not installed here: .* definition of NodeState\n.*sluice install/);
  const { exit, stderr } = sluice(["install", "--kubeconfig", cluster.kubeconfig]);
  assert.equal(exit, 0, stderr);
  const metricsListen = `127.0.0.1:${await freePort()}`;
  const login = await accountLogin(cluster, "sluice-controller");
  const controller = startController(t, login, { metricsListen });
  const { egressGateways: list, ...single } = policy("shop", ["nowhere"]).spec;
  const spec = { ...single, egressGateway: list[0] };
  const elsewhere = { ...spec, destinationCIDRs: ["198.51.100.0/24"] };
  await cluster.apply({ ...policy("shop", []), spec });
  await cluster.apply({ ...policy("other", []), spec: elsewhere });

  await t.test("events and metrics say what there is no status for [1.7]", async () => {
    const described = () => cluster.kubectl("describe", "cegp", "shop");
    await until(async () => /NoGateway .*the policy's traffic is dropped/.test(await described()));
    const metrics = async () => (await fetch(`http://${metricsListen}/metrics`)).text();
    const condition = 'policy_condition{policy="shop",type="ResolvedRefs",reason="NoGateway"} 0';
    await until(async () => (await metrics()).includes(`sluice_${condition}`));
    assert.match(await metrics(), /sluice_controller_active 1\n/);
    assert.equal(await statusOf(cluster, "shop"), undefined);
    await until(() => controller.said().includes(" status error="));
    // Both policies, tried again: the first of these waits is a second.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.equal(controller.said().match(/ status error=/g)?.length, 1, controller.said());
    assert.match(controller.said(), /NoStatus.*docs\/migration\.md/);
    assert.doesNotMatch(controller.said(), /NotFound/);
  });

  await t.test("status judges itself what it cannot read [1.7]", async () => {
    await addNode(cluster, "worker-1", "192.0.2.3");
    await addPod(cluster, 1);
    const { exit, stdout } = sluice(question);
    assert.equal(exit, 1);
    assert.match(stdout, /^The definition of policies is not Sluice's: it has no status\.\n/);
    assert.match(stdout, /shop +0\/1 +1 +True +False +False +worker-1\n/);
    assert.match(stdout, /shop\n  Programmed: worker-1: no agent has said anything\n/);
  });

  await t.test("one that has a status gets it, from the controller that runs [1.7]", async () => {
    const own = sluice(["manifests", "--part", "crds"]).stdout;
    const replace = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    const { exit, stderr } = await cluster.tryKubectl(replace, { input: own });
    assert.equal(exit, 0, stderr);
    await becomes(cluster, "shop", "ResolvedRefs", "False NoGateway");
  });
});
