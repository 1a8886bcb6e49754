// Lists and watches of a real API server: what it forgot, what was replaced behind our back, what
// is installed later, what may not be read.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Issue } from "../../src/model/issue.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import type { KubernetesWatch } from "../../src/sources/kubernetes/watch.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { CILIUM_ENDPOINTS, CILIUM_IDENTITIES, define, POLICIES } from "./definitions.ts";
import { Proxy } from "./proxy.ts";
import { watchCluster } from "./watching.ts";

interface Watched {
  readonly watch: KubernetesWatch;
  /** `+Kind/key` and `-Kind/key`, of the kinds that were asked for. */
  readonly log: string[];
  issues: readonly Issue[];
}

function watched(
  t: TestContext,
  kubeconfig: string,
  { kinds, ...more }: { kinds: readonly string[]; pageObjects?: number },
): Watched {
  const log: string[] = [];
  const onChanges = (changes: readonly ObjectChange[]) => {
    const wanted = changes.filter(({ kind }) => kinds.includes(kind));
    const sign = (value: unknown) => (value === undefined ? "-" : "+");
    log.push(...wanted.map(({ kind, key, value }) => `${sign(value)}${kind}/${key}`));
  };
  const timing = { pageObjects: more.pageObjects ?? 500 };
  const onIssues = (issues: readonly Issue[]) => void (found.issues = issues);
  const watch = watchCluster(kubeconfig, { onChanges, onIssues, timing });
  const found: Watched = { watch, log, issues: [] };
  t.after(() => watch.close());
  return found;
}

const node = (name: string, labels: object = {}) => {
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
};

async function hasLog({ log }: Watched, ...lines: string[]): Promise<void> {
  await until(() => log.length >= lines.length, { shown: () => log.join("; ") });
  await sleep(100);
  assert.deepEqual(log.splice(0), lines);
}

test("list and watch", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await define(cluster, POLICIES);
  const proxy = await Proxy.start(t, Number(new URL(cluster.server).port));
  const through = cluster.login({ name: "through", server: proxy.url });
  await provesForgetting(t, cluster, { proxy, through });
  await provesCuts(t, cluster, { proxy, through });
  await provesLater(t, cluster);
});

interface Bad {
  readonly proxy: Proxy;
  /** A kubeconfig that leads through it. */
  readonly through: string;
}

/** Nothing of what `act` does is seen before it is over, and all of it is forgotten by then. */
async function forgotten(cluster: Cluster, proxy: Proxy, act: () => Promise<void>): Promise<void> {
  proxy.refusing = true;
  proxy.cut();
  await act();
  await cluster.compact();
  // An API server that starts remembers nothing of former revisions, nor does etcd.
  await cluster.stopApi();
  assert.ok(await cluster.startApi());
  proxy.refusing = false;
}

async function provesForgetting(t: TestContext, cluster: Cluster, { proxy, through }: Bad) {
  await t.test("what etcd forgot meanwhile is listed anew, as differences", async (t) => {
    const names = ["a", "b", "c", "d", "e"];
    await cluster.apply(...names.map((name) => node(name)));
    const nodes = watched(t, through, { kinds: ["Node"], pageObjects: 2 });
    await nodes.watch.synced;
    await hasLog(nodes, ...names.map((name) => `+Node/${name}`));
    await forgotten(cluster, proxy, async () => {
      await cluster.kubectl("delete", "node", "b", "c");
      await cluster.apply(node("d", { v: "2" }), node("f"));
    });
    await hasLog(nodes, "+Node/d", "+Node/f", "-Node/b", "-Node/c");
    await cluster.kubectl("delete", "node", "f");
    await hasLog(nodes, "-Node/f");
  });
}

async function provesCuts(t: TestContext, cluster: Cluster, { proxy, through }: Bad) {
  await t.test("an object that was deleted and created meanwhile is two changes", async (t) => {
    const nodes = watched(t, through, { kinds: ["Node"] });
    await hasLog(nodes, ...["a", "d", "e"].map((name) => `+Node/${name}`));
    proxy.refusing = true;
    proxy.cut();
    await cluster.kubectl("delete", "node", "a");
    await cluster.apply(node("a"));
    proxy.refusing = false;
    await hasLog(nodes, "-Node/a", "+Node/a");
    // The same by a list, which does not tell that something was deleted.
    await forgotten(cluster, proxy, async () => {
      await cluster.kubectl("delete", "node", "a");
      await cluster.apply(node("a"));
    });
    await hasLog(nodes, "-Node/a", "+Node/a");
  });

  await t.test("a watch that is cut in the middle of a line goes on where it was", async (t) => {
    const nodes = watched(t, through, { kinds: ["Node"] });
    await hasLog(nodes, ...["a", "d", "e"].map((name) => `+Node/${name}`));
    proxy.cutAfterBytes = 9_000;
    proxy.cut();
    const names = Array.from({ length: 30 }, (_, i) => `many-${String(i).padStart(2, "0")}`);
    const annotations = { filler: "x".repeat(700) };
    for (const name of names) {
      await cluster.apply({ ...node(name), metadata: { name, annotations } });
    }
    await hasLog(nodes, ...names.map((name) => `+Node/${name}`));
    assert.ok(proxy.cuts > 0, "no connection was cut");
    proxy.cutAfterBytes = Infinity;
    await cluster.kubectl("delete", "node", "--all");
  });
}

async function provesLater(t: TestContext, cluster: Cluster) {
  const kinds = ["CiliumIdentity", "CiliumEndpoint"];
  await t.test("a kind that is installed later is noticed", async (t) => {
    const found = watched(t, cluster.kubeconfig, { kinds });
    await found.watch.synced;
    assert.deepEqual(found.issues, []);
    await define(cluster, CILIUM_IDENTITIES);
    const metadata = { name: "4711" };
    const type = { apiVersion: "cilium.io/v2", kind: "CiliumIdentity" };
    await cluster.apply({ ...type, metadata, "security-labels": { "k8s:app": "web" } });
    await hasLog(found, "+CiliumIdentity/4711");
  });

  await t.test("a kind that may lack is done without where it may not be read", async (t) => {
    await define(cluster, CILIUM_ENDPOINTS);
    const required = ["nodes", "pods", "namespaces", "services", "ciliumegressgatewaypolicies"];
    const found = watched(t, await loginAs(cluster, "agent", required), { kinds });
    await found.watch.synced;
    // All that is served and refused. What is refused and not served is not there: no issue.
    const objects = found.issues.map(({ object }) => object);
    assert.deepEqual(objects, ["CiliumEndpoint", "CiliumIdentity", "ServiceCIDR"]);
    await allow(cluster, "agent", [...required, "ciliumidentities", "ciliumendpoints"]);
    await until(() => found.log.includes("+CiliumIdentity/4711"));
    await until(() => !found.issues.some(({ object }) => object === "CiliumEndpoint"));
  });

  await t.test("a required kind that may not be read is waited for [7.8]", async (t) => {
    const found = watched(t, await loginAs(cluster, "half", ["nodes"]), { kinds: ["Node"] });
    let synced = false;
    void found.watch.synced.then(() => (synced = true));
    await until(() => found.issues.some(({ object }) => object === "Pod"));
    await sleep(1_000);
    assert.equal(synced, false);
    await allow(cluster, "half", ["*"]);
    await until(() => synced);
  });
}

/** A kubeconfig of an account that may read these resources. */
async function loginAs(cluster: Cluster, account: string, resources: string[]): Promise<string> {
  await cluster.kubectl("create", "serviceaccount", "-n", "default", account);
  await allow(cluster, account, resources);
  return cluster.login({ name: account, token: await cluster.token("default", account) });
}

/** Lets an account read these resources, and no others. */
async function allow(cluster: Cluster, account: string, resources: string[]): Promise<void> {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name: account };
  const rules = [{ apiGroups: ["*"], resources, verbs: ["list", "watch"] }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: account };
  const subjects = [{ kind: "ServiceAccount", namespace: "default", name: account }];
  await cluster.apply(
    { apiVersion, kind: "ClusterRole", metadata, rules },
    { apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects },
  );
}
