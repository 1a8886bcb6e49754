// Agents and controller together, with real rights and a real kernel: what a policy's status says
// is read back from the nodes' maps, and a node that does nothing shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { MapsAgent } from "../kernel/maps-agent.ts";
import { mountPrivateBpffs } from "../kernel/private-bpffs.ts";
import type { ClusterStatusDocument } from "../../src/status/cluster-document.ts";
import { sluice } from "../support/run-cli.ts";
import { assertValid } from "../support/schema.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { ciliumConfig } from "./cilium-definition.ts";
import type { Cluster } from "./cluster.ts";
import { addPod, FAST, NODES, policy, prepareCluster, startController } from "./controlled.ts";
import { accountLogin, agentLogin } from "./installed.ts";

const bpffs = mountPrivateBpffs();
const skip = missingForCluster() ?? bpffs.skip ?? false;

type Node = (typeof NODES)[number];

interface Seen {
  readonly programmed: string;
  readonly lagging: readonly string[];
}

async function seen(cluster: Cluster): Promise<Seen> {
  const printed = await cluster.kubectl("get", "cegp", "shop", "-o", "json");
  const { status } = JSON.parse(printed) as {
    readonly status?: {
      readonly nodes?: { readonly lagging: readonly string[] };
      readonly conditions: readonly {
        readonly type: string;
        readonly status: string;
        readonly message: string;
      }[];
    };
  };
  const found = status?.conditions.find(({ type }) => type === "Programmed");
  const programmed = `${found?.status} ${found?.message}`;
  return { programmed, lagging: status?.nodes?.lagging ?? [] };
}

async function becomes(cluster: Cluster, wanted: (now: Seen) => boolean): Promise<void> {
  let now: Seen | undefined;
  const shown = () => JSON.stringify(now);
  await until(async () => wanted((now = await seen(cluster))), { shown, pollMs: 200 });
}

async function startAgents(t: TestContext, cluster: Cluster): Promise<Map<Node, MapsAgent>> {
  const agents = new Map<Node, MapsAgent>();
  for (const node of NODES) {
    const source = ["--kubeconfig", await agentLogin(cluster, node)];
    const agent = new MapsAgent(t, { bpffs: bpffs.directory, node, source });
    agent.start();
    agents.set(node, agent);
  }
  return agents;
}

/** While worker-1 does nothing: the policy gets another generation, and then what it was. */
async function explainsWhoIsBehind(cluster: Cluster): Promise<void> {
  await cluster.apply(policy("shop", ["gw-2"]));
  const words = ["explain", "--kubeconfig", cluster.kubeconfig, "shop-1", "203.0.113.1"];
  const explained = sluice(words).stdout.replaceAll(/\s+/g, " ");
  const doubt = "but worker-1 has not taken over this: it has generation 1, not 2, heard";
  assert.match(explained, /^Traffic from default\/shop-1 \S+ to 203\.0\.113\.1 should /);
  assert.ok(explained.includes(doubt), explained);
  await cluster.apply(policy("shop", ["gw-1", "gw-2"]));
}

test("acknowledgements", { skip }, async (t) => {
  const cluster = await prepareCluster(t);
  await cluster.apply(policy("shop", ["gw-1", "gw-2"]));
  for (const number of [1, 2, 3]) await addPod(cluster, number);
  const login = await accountLogin(cluster, "sluice-controller");
  startController(t, login, { pace: { ...FAST, graceMs: 8_000, silentMs: 120_000 } });
  await becomes(cluster, ({ lagging }) => lagging.length === NODES.length);
  const agents = await startAgents(t, cluster);
  const worker = agents.get("worker-1") as MapsAgent;

  await t.test("a policy is programmed once every node's kernel holds it", async () => {
    await becomes(cluster, ({ programmed }) => programmed.startsWith("True every node"));
    assert.ok([...agents.values()].every((agent) => agent.rows().length === 3));
    for (const { log } of agents.values()) assert.doesNotMatch(log, /error=/);
    const states = await cluster.kubectl("get", "nodestates");
    assert.equal(states.match(/^\S+ +true +\d+\.\d+\.\d+ /gm)?.length, NODES.length);
    const owner = "jsonpath={.metadata.ownerReferences[0].kind}";
    assert.equal(await cluster.kubectl("get", "nodestate", "gw-1", "-o", owner), "Node");
  });

  await t.test("sluice status shows policies and nodes, and its exit status says so", () => {
    const status = () => sluice(["status", "--kubeconfig", cluster.kubeconfig, "-o", "json"]);
    const { exit, stdout, stderr } = status();
    const document = JSON.parse(stdout) as ClusterStatusDocument;
    assertValid("cluster-status", document);
    assert.deepEqual(
      document.nodes.map(({ name, ready, rows }) => [name, ready, rows]),
      [...NODES].sort().map((name) => [name, true, 3]),
    );
    const [{ accepted, programmed, resolvedRefs } = assert.fail("no policy")] = document.policies;
    // The agents are this machine's, which may lack the default route that gives an egress IP.
    const all = resolvedRefs === "True" ? 0 : 1;
    assert.deepEqual([accepted, programmed, exit], ["True", "True", all], stderr);
  });

  await t.test("pods that come are followed, and the policy stays programmed", async () => {
    await addPod(cluster, 4);
    await until(() => [...agents.values()].every((agent) => agent.rows().length === 4));
    await until(async () => {
      const path = "jsonpath={.status.policies[0].rows}";
      return (await cluster.kubectl("get", "nodestate", "worker-1", "-o", path)) === "4";
    });
    await becomes(cluster, ({ programmed }) => programmed.startsWith("True every node"));
  });

  await t.test("a node that silently does nothing shows", async () => {
    process.kill(worker.pid as number, "SIGSTOP");
    await addPod(cluster, 5);
    const behind = /worker-1: it holds 4 rows, should hold 5/;
    await becomes(cluster, ({ programmed }) => behind.test(programmed));
    const { lagging } = await seen(cluster);
    assert.deepEqual(lagging, ["worker-1"]);
    await explainsWhoIsBehind(cluster);
    process.kill(worker.pid as number, "SIGCONT");
    await becomes(cluster, ({ programmed }) => programmed.startsWith("True every node"));
  });

  await t.test("beside Cilium's own egress gateway no agent starts", async () => {
    const rows = worker.rows();
    assert.equal(await worker.end("SIGTERM"), 0);
    await cluster.apply(ciliumConfig({ "enable-egress-gateway": "true" }));
    worker.start();
    assert.equal(await worker.ended(), 2);
    assert.match(worker.log, /ConfigMap kube-system\/cilium-config: Cilium's own egress gateway/);
    assert.match(worker.log, /Turn it off/);
    assert.deepEqual(worker.rows(), rows);
  });
});
