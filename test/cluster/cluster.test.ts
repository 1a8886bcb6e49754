// The test cluster itself: what the other tests of this suite take for granted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { startCluster } from "./cluster.ts";

test("the test cluster", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  const namespace = (name: string) => {
    return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  };

  await t.test("takes objects, and gives them back after a restart and after a crash", async () => {
    await cluster.apply(namespace("kept"));
    await cluster.stopApi();
    assert.equal((await cluster.tryKubectl(["get", "ns", "kept"])).exit, 1);
    assert.ok(await cluster.startApi());
    await cluster.killApi();
    assert.ok(await cluster.startApi());
    assert.match(await cluster.kubectl("get", "ns", "kept"), /Active/);
  });

  await t.test("lets a ServiceAccount do what a role says, and nothing else", async () => {
    await cluster.kubectl("create", "serviceaccount", "-n", "default", "reader");
    await cluster.kubectl("create", "clusterrole", "reader", "--verb=get", "--resource=nodes");
    const binding = ["--clusterrole=reader", "--serviceaccount=default:reader"];
    await cluster.kubectl("create", "clusterrolebinding", "reader", ...binding);
    const token = await cluster.token("default", "reader");
    const kubeconfig = cluster.login({ name: "reader", token });
    const asReader = (...words: string[]) => cluster.tryKubectl(words, { kubeconfig });
    // The role takes effect a moment after it was written.
    const node = async () => (await asReader("get", "node", "none")).stderr;
    await until(async () => /not found/i.test(await node()));
    assert.match((await asReader("get", "nodes")).stderr, /Forbidden/);
  });

  await t.test("forgets former revisions when it is told to", async () => {
    const path = "/api/v1/namespaces?watch=1&timeoutSeconds=1&resourceVersion=1";
    const watch = () => cluster.tryKubectl(["get", "--raw", path]);
    await cluster.compact();
    await cluster.stopApi();
    assert.ok(await cluster.startApi());
    assert.match((await watch()).stdout, /"code":410/);
  });
});
