// The agent and the commands on a live cluster: the example of the documents, in a real API server.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MapsAgent, plannedRows, same } from "../kernel/maps-agent.ts";
import { mountPrivateBpffs } from "../kernel/private-bpffs.ts";
import { EXAMPLE, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { freePort, startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { define, NODE_STATES, POLICIES } from "./definitions.ts";
import { fillFrom } from "./fill.ts";
import { Proxy } from "./proxy.ts";

const bpffs = mountPrivateBpffs();
const skip = missingForCluster() ?? bpffs.skip ?? false;
const NODE = "gateway-1";
const FILES = ["namespaces", "nodes", "gateways", "pods-billing", "pods-monitoring", "pods-shop"];
const POLICY = join(ROOT, "examples/policy.yaml");

test("a live cluster", { skip }, async (t) => {
  const cluster = await startCluster(t);
  await define(cluster, POLICIES, NODE_STATES);
  const files = FILES.map((name) => join(ROOT, `examples/cluster/${name}.yaml`));
  await fillFrom(cluster, ...files, POLICY);
  await provesCommands(t, cluster);
  await provesAgent(t, cluster);
  await provesFlapping(t, cluster);
});

async function provesCommands(t: TestContext, cluster: Cluster): Promise<void> {
  const live = ["--kubeconfig", cluster.kubeconfig];

  await t.test("plan says of a live cluster what it says of its files", () => {
    const plan = (...words: string[]) => {
      const { exit, stdout, stderr } = sluice(["plan", "-o", "json", ...words]);
      assert.deepEqual([exit, stderr], [0, ""]);
      const { assignments, policies } = JSON.parse(stdout) as Plan;
      return { policies, assignments: assignments.map(({ pod, gateway }) => ({ pod, gateway })) };
    };
    const found = plan(...live);
    assert.deepEqual(found, plan(...EXAMPLE));
    assert.ok(found.assignments.length > 10);
    assert.deepEqual(plan("--context", "admin", ...live), found);
  });

  await t.test("explain and validate ask it too, by KUBECONFIG as well", () => {
    const env = { KUBECONFIG: cluster.kubeconfig };
    const explained = sluice(["explain", "shop/checkout-0", "203.0.113.10"], { env });
    assert.equal(explained.exit, 0, explained.stderr);
    assert.match(explained.stdout, /192\.0\.2\.1/);
    assert.equal(sluice(["validate", ...live]).exit, 0);
  });

  await t.test("diff says who would move if a policy were applied", (t) => {
    const file = join(temporaryFolder(t), "policy.yaml");
    const text = readFileSync(POLICY, "utf8");
    writeFileSync(file, text);
    const diff = () => sluice(["diff", ...live, "--to", file, "-o", "json"]);
    assert.equal(diff().exit, 0, diff().stderr);
    writeFileSync(file, text.slice(0, text.lastIndexOf("    - nodeSelector:")));
    const fewer = diff();
    assert.equal(fewer.exit, 1, fewer.stderr);
    assert.match(fewer.stdout, /gateway-3/);
    writeFileSync(file, text.replace("203.0.113.0/24", "nonsense"));
    assert.equal(diff().exit, 2);
  });

  await t.test("what cannot be asked is said with a remedy", (t) => {
    const refused = (...words: string[]) => {
      const { exit, stdout, stderr } = sluice(words);
      assert.deepEqual([exit, stdout], [2, ""]);
      return stderr;
    };
    assert.match(refused("plan", ...live, "-f", POLICY), /exclude each other/);
    assert.match(refused("plan", ...live, "--context", "none"), /no context none.*admin/s);
    const path = join(temporaryFolder(t), "none");
    assert.match(refused("plan", "--kubeconfig", path), /no such file/);
    const away = cluster.login({ name: "away", server: "https://127.0.0.1:1" });
    assert.match(refused("plan", "--kubeconfig", away), /ECONNREFUSED.*\n.*load balancer/s);
    const both = ["--source", "examples/cluster", "--kubeconfig", away, "--node", "n"];
    assert.match(refused("agent", ...both), /exclude each other/);
    assert.match(refused("agent", "--node", "n"), /nothing says where/);
  });
}

interface Plan {
  readonly policies: unknown;
  readonly assignments: readonly { readonly pod: unknown; readonly gateway: unknown }[];
}

async function provesAgent(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("an agent follows the API, and what stands outlives both [7.8]", async (t) => {
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const source = ["--kubeconfig", cluster.kubeconfig];
    const agent = new MapsAgent(t, { bpffs: bpffs.directory, node: NODE, source, metricsListen });
    const planned = () => plannedRows(NODE, ...source);
    agent.start();
    const all = planned();
    assert.ok(all.length > 4, "the example gives this node rows");
    await agent.until("the first rows", same(all));
    await cluster.kubectl("delete", "pod", "-n", "billing", "invoice-0", "--force");
    const fewer = planned();
    assert.ok(fewer.length < all.length);
    await agent.until("the rows of fewer pods", same(fewer));

    await cluster.killApi();
    await sleep(1_500);
    assert.deepEqual(agent.rows(), fewer);
    assert.equal(await ready(metricsListen), "200 ok\n");
    // It starts while the API is away: nothing is known, and nothing is taken away.
    assert.equal(await agent.end("SIGTERM"), 0);
    agent.start();
    await until(async () => (await ready(metricsListen)).includes("ECONNREFUSED"));
    assert.match(await ready(metricsListen), /^503 .*list of objects; https:/);
    await sleep(500);
    assert.deepEqual(agent.rows(), fewer);
    assert.ok(await cluster.startApi());
    await until(async () => (await ready(metricsListen)) === "200 ok\n");
    assert.deepEqual(agent.rows(), fewer);
    await cluster.kubectl("delete", "ciliumegressgatewaypolicies", "--all");
    await agent.until("no rows", (rows) => rows.length === 0);
  });
}

async function provesFlapping(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("rows stand while the way to the API flaps [7.8]", async (t) => {
    const proxy = await Proxy.start(t, Number(new URL(cluster.server).port));
    const kubeconfig = cluster.login({ name: "flapping", server: proxy.url });
    const source = ["--kubeconfig", kubeconfig];
    const agent = new MapsAgent(t, { bpffs: bpffs.directory, node: NODE, source });
    await fillFrom(cluster, POLICY);
    agent.start();
    const wanted = plannedRows(NODE, "--kubeconfig", cluster.kubeconfig);
    assert.ok(wanted.length > 4);
    await agent.until("the first rows", same(wanted));
    for (let i = 0; i < 5; i++) {
      proxy.refusing = true;
      proxy.cut();
      assert.deepEqual(agent.rows(), wanted);
      proxy.refusing = false;
      assert.deepEqual(agent.rows(), wanted);
    }
    proxy.refusing = true;
    proxy.cut();
    await cluster.kubectl("delete", "pod", "-n", "shop", "--all", "--force");
    assert.deepEqual(agent.rows(), wanted);
    proxy.refusing = false;
    const fewer = plannedRows(NODE, "--kubeconfig", cluster.kubeconfig);
    assert.ok(fewer.length < wanted.length);
    await agent.until("the rows of fewer pods", same(fewer));
  });
}

async function ready(listen: string): Promise<string> {
  try {
    const answer = await fetch(`http://${listen}/readyz`);
    return `${answer.status} ${await answer.text()}`;
  } catch {
    return "no answer";
  }
}
