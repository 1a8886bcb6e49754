// The connection to a real API server: who asks, what is asked, and every refusal by its name.

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import * as objects from "../../src/drivers/kube/objects.ts";
import type { Resource } from "../../src/drivers/kube/resource.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

const MAPS: Resource = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
const NODES: Resource = { ...MAPS, plural: "nodes", kind: "Node", namespaced: false };
const WIDGETS: Resource = { ...NODES, group: "none.example", plural: "widgets", kind: "Widget" };

function connect(t: TestContext, path: string): KubeConnection {
  const connection = new KubeConnection({ kind: "kubeconfig", path, context: undefined });
  t.after(() => connection.close());
  return connection;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => "none",
    (error: { code: string }) => error.code,
  );
}

async function namesOf(connection: KubeConnection, limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  for await (const { items } of objects.listPages(connection, MAPS, { limit, namespace: "n" })) {
    const named = items as readonly { readonly metadata: { readonly name: string } }[];
    pages.push(named.map(({ metadata }) => metadata.name));
  }
  return pages;
}

const named = (name: string) => ({ name, namespace: "n" });

interface Given {
  readonly cluster: Cluster;
  readonly admin: KubeConnection;
}

test("the connection", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  const admin = connect(t, cluster.kubeconfig);
  await cluster.kubectl("create", "namespace", "n");
  await provesWriting(t, { cluster, admin });
  await provesReading(t, { cluster, admin });
  await provesNames(t, { cluster });
  await provesLasting(t, { cluster, admin });
});

async function provesWriting(t: TestContext, { admin }: Given): Promise<void> {
  await t.test("creates, reads, applies, merges and deletes", async () => {
    const metadata = named("m");
    await objects.createObject(admin, MAPS, { metadata, data: { a: "1" } });
    const manager = { fieldManager: "test" };
    await objects.applyObject(admin, MAPS, named("m"), { data: { b: "2" } }, manager);
    await objects.mergeObject(admin, MAPS, named("m"), { data: { c: "3" } });
    const data = async () => (await objects.getObject(admin, MAPS, named("m")))?.["data"];
    assert.deepEqual(await data(), { a: "1", b: "2", c: "3" });
    const other = { fieldManager: "other" };
    const taking = { data: { b: "3" } };
    const conflict = objects.applyObject(admin, MAPS, named("m"), taking, other);
    assert.equal(await codeOf(conflict), "Conflict");
    await objects.applyObject(admin, MAPS, named("m"), taking, { ...other, force: true });
    assert.equal(await objects.deleteObject(admin, MAPS, named("m")), true);
    assert.equal(await objects.deleteObject(admin, MAPS, named("m")), false);
    assert.equal(await data(), undefined);
  });

  await t.test("writes a status as a part of its own", async () => {
    const name = { name: "node-1" };
    await objects.createObject(admin, NODES, { metadata: name });
    const addresses = [{ type: "InternalIP", address: "192.0.2.1" }];
    const status = { subresource: "status", fieldManager: "test" };
    await objects.applyObject(admin, NODES, name, { status: { addresses } }, status);
    await objects.mergeObject(admin, NODES, name, { status: { phase: "Running" } }, status);
    const found = await objects.getObject(admin, NODES, name);
    assert.deepEqual((found?.["status"] as { addresses: unknown }).addresses, addresses);
  });
}

async function provesReading(t: TestContext, { cluster, admin }: Given): Promise<void> {
  await t.test("lists page by page", async () => {
    const items = ["a", "b", "c", "d", "e"].map((name) => {
      return { apiVersion: "v1", kind: "ConfigMap", metadata: named(name) };
    });
    await cluster.apply(...items);
    assert.deepEqual(await namesOf(admin, 2), [["a", "b"], ["c", "d"], ["e"]]);
  });

  await t.test("names every refusal", async () => {
    const twice = { metadata: named("a") };
    assert.equal(await codeOf(objects.createObject(admin, MAPS, twice)), "AlreadyExists");
    const wrong = { metadata: { name: "No Name", namespace: "n" } };
    assert.equal(await codeOf(objects.createObject(admin, MAPS, wrong)), "Invalid");
    assert.equal(await codeOf(objects.listPages(admin, WIDGETS).next()), "NotFound");
    const stranger = connect(t, cluster.login({ name: "stranger", token: "unknown" }));
    assert.equal(await codeOf(objects.listPages(stranger, NODES).next()), "Unauthorized");
    await cluster.kubectl("create", "serviceaccount", "-n", "n", "nobody");
    const token = await cluster.token("n", "nobody");
    const nobody = connect(t, cluster.login({ name: "nobody", token }));
    assert.equal(await codeOf(objects.listPages(nobody, NODES).next()), "Forbidden");
    const path = cluster.login({ name: "untrusting" });
    const config = readFileSync(path, "utf8").replace(/"certificate-authority":"[^"]*"/, '"x":""');
    writeFileSync(path, config);
    const untrusting = connect(t, path);
    assert.equal(await codeOf(objects.listPages(untrusting, NODES).next()), "ApiUntrusted");
    rmSync(path);
  });
}

async function provesNames(t: TestContext, { cluster }: Pick<Given, "cluster">): Promise<void> {
  await t.test("holds the certificate against an address that is its name", async (t) => {
    const warnings: string[] = [];
    const onWarning = ({ message }: Error) => void warnings.push(message);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const server = cluster.server.replace("127.0.0.1", "localhost");
    const codeWith = async (name: string) => {
      const path = cluster.login({ name: "named", server });
      const config = readFileSync(path, "utf8");
      writeFileSync(path, config.replace('"server":', `"tls-server-name":"${name}","server":`));
      return codeOf(namesOf(connect(t, path), 9));
    };
    assert.equal(await codeWith("127.0.0.1"), "none");
    assert.equal(await codeWith("192.0.2.1"), "ApiUntrusted");
    assert.equal(await codeWith("kubernetes.default.svc"), "none");
    assert.deepEqual(warnings, []);
  });
}

async function provesLasting(t: TestContext, { cluster, admin }: Given): Promise<void> {
  await t.test("takes a token that was renewed", async () => {
    await cluster.kubectl("create", "serviceaccount", "-n", "n", "reader");
    const right = ["--verb=list", "--resource=configmaps"];
    await cluster.kubectl("create", "clusterrole", "reader", ...right);
    const binding = ["--clusterrole=reader", "--serviceaccount=n:reader"];
    await cluster.kubectl("create", "clusterrolebinding", "reader", ...binding);
    const login = (token: string) => cluster.login({ name: "reader", token });
    const reader = connect(t, login("refused"));
    assert.equal(await codeOf(namesOf(reader, 9)), "Unauthorized");
    login(await cluster.token("n", "reader"));
    let code = "";
    const works = async () => (code = await codeOf(namesOf(reader, 9))) === "none";
    await until(works, { shown: () => code });
  });

  await t.test("works again once the API server is there again", async () => {
    await cluster.killApi();
    assert.equal(await codeOf(namesOf(admin, 9)), "ApiUnreachable");
    assert.ok(await cluster.startApi());
    assert.equal((await namesOf(admin, 9)).flat().length, 5);
  });

  await t.test("takes few sockets for many requests", async () => {
    const before = cluster.connections();
    for (let i = 0; i < 50; i++) await namesOf(admin, 9);
    assert.ok(cluster.connections() <= before + 1);
  });
}
