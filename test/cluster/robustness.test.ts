// What can happen to an API server and the way to it, while objects change: a source ends with the
// API server's own picture, says of nothing that it is gone which is there, and leaves no
// connection behind. SLUICE_SOAK=1: as often as the contract asks for.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { KubeConnection } from "../../src/drivers/kube/connection.ts";
import { applyObject, deleteObject } from "../../src/drivers/kube/objects.ts";
import type { Resource } from "../../src/drivers/kube/resource.ts";
import { watchedKinds } from "../../src/sources/kubernetes/kinds.ts";
import { sized } from "../support/soak.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { Authority } from "./certificates.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { define, NODE_STATES, POLICIES } from "./definitions.ts";
import { Proxy } from "./proxy.ts";
import { connectTo, Picture } from "./truth.ts";

const FLAPS = sized(12, 100);
const RESTARTS = sized(2, 10);

const NODES: Resource = {
  group: "",
  version: "v1",
  plural: "nodes",
  kind: "Node",
  namespaced: false,
};

interface Given {
  readonly cluster: Cluster;
  readonly proxy: Proxy;
  readonly through: string;
  /** Never disturbed. */
  readonly admin: KubeConnection;
}

test("robustness", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await define(cluster, POLICIES, NODE_STATES);
  const proxy = await Proxy.start(t, Number(new URL(cluster.server).port));
  const through = cluster.login({ name: "through", server: proxy.url });
  const given = { cluster, proxy, through, admin: connectTo(t, cluster) };
  await provesFlapping(t, given);
  await provesRestarts(t, given);
  await provesSlowness(t, given);
  await provesRotation(t, given);
  await provesClocks(t, given);
});

/** Writes Nodes until it is told to end; `kept-*` are never deleted. */
class Churn {
  readonly #admin: KubeConnection;
  #ending = false;
  readonly #ended: Promise<void>;
  rounds = 0;

  constructor(admin: KubeConnection) {
    this.#admin = admin;
    this.#ended = this.#run();
  }

  async end(): Promise<void> {
    this.#ending = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const options = { fieldManager: "churn", force: true };
    for (; !this.#ending; this.rounds++) {
      const name = `churn-${this.rounds % 7}`;
      const labels = { round: String(this.rounds) };
      const kept = `kept-${this.rounds % 3}`;
      try {
        await applyObject(this.#admin, NODES, { name: kept }, { metadata: { labels } }, options);
        if (this.rounds % 3 === 2) await deleteObject(this.#admin, NODES, { name });
        else await applyObject(this.#admin, NODES, { name }, { metadata: { labels } }, options);
      } catch {
        // The API server is what is being disturbed.
        await sleep(50);
      }
      await sleep(5);
    }
  }
}

function keptStay({ gone }: Picture): void {
  assert.deepEqual(gone.filter((key) => key.startsWith("Node kept-")), []);
}

async function provesFlapping(t: TestContext, { cluster, proxy, through, admin }: Given) {
  await t.test(`the way to it flaps ${FLAPS} times`, async (t) => {
    const picture = new Picture(t, { kubeconfig: through });
    await picture.watch.synced;
    const churn = new Churn(admin);
    const heaps: number[] = [];
    for (let i = 0; i < FLAPS; i++) {
      proxy.refusing = true;
      proxy.cut();
      await sleep(60 + (i % 5) * 40);
      proxy.refusing = false;
      await until(() => proxy.open > 0);
      await sleep(100);
      if (i % Math.ceil(FLAPS / 4) === 0) heaps.push(heapBytes());
    }
    await churn.end();
    assert.ok(churn.rounds > FLAPS);
    await picture.converges(cluster);
    keptStay(picture);
    // The control: what was deleted is known to be gone.
    assert.ok(picture.gone.some((key) => key.startsWith("Node churn-")));
    await until(() => picture.issues.length === 0);
    // A watch for each kind, those that lack included, and what lists and retries leave idle.
    const kinds = watchedKinds("auto").length;
    await until(() => proxy.open <= kinds + 2, { shown: () => `${proxy.open} connections` });
    const [first = 0] = heaps;
    const grown = ((heaps.at(-1) ?? 0) - first) / 2 ** 20;
    assert.ok(grown < 8, `the heap grew by ${grown.toFixed(1)} MB`);
    await picture.watch.close();
    await until(() => proxy.open === 0, { shown: () => `${proxy.open} connections` });
  });
}

/** What is alive. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

async function provesRestarts(t: TestContext, { cluster, admin }: Given) {
  await t.test(`it is killed, restarted and compacted ${RESTARTS} times`, async (t) => {
    const picture = new Picture(t, { kubeconfig: cluster.kubeconfig });
    await picture.watch.synced;
    const churn = new Churn(admin);
    for (let i = 0; i < RESTARTS; i++) {
      await sleep(300);
      await (i % 2 === 0 ? cluster.killApi() : cluster.stopApi());
      await cluster.compact();
      await sleep(300);
      assert.ok(await cluster.startApi());
      await until(() => picture.issues.length === 0);
    }
    await churn.end();
    await picture.converges(cluster);
    keptStay(picture);
  });
}

async function provesSlowness(t: TestContext, { cluster, proxy, through, admin }: Given) {
  await t.test("it is slow", async (t) => {
    proxy.delayMs = 250;
    const picture = new Picture(t, { kubeconfig: through });
    const churn = new Churn(admin);
    await picture.watch.synced;
    await sleep(500);
    await churn.end();
    await picture.converges(cluster);
    keptStay(picture);
    proxy.delayMs = 0;
  });

  await t.test("it keeps its connections and answers nothing", async (t) => {
    const timing = { idleMs: 1_000 };
    const picture = new Picture(t, { kubeconfig: cluster.kubeconfig, timing });
    await picture.watch.synced;
    cluster.pauseApi();
    await sleep(2_500);
    cluster.resumeApi();
    const churn = new Churn(admin);
    await sleep(500);
    await churn.end();
    await picture.converges(cluster);
    keptStay(picture);
  });
}

async function provesRotation(t: TestContext, { cluster }: Given) {
  await t.test("its certificate is renewed, and the authority that it is trusted by", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "sluice-rotation-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "ca.crt");
    copyFileSync(new Authority(directory, "stranger").certificate, path);
    const picture = new Picture(t, { kubeconfig: cluster.login({ name: "own", ca: path }) });
    await until(() => picture.issues.some(({ message }) => message.includes("not trusted")));
    assert.equal(picture.isSynced, false);
    copyFileSync(cluster.authority, path);
    await picture.watch.synced;
    cluster.renewServingCertificate();
    await cluster.stopApi();
    assert.ok(await cluster.startApi());
    await picture.converges(cluster);
  });

  await t.test("the token is refused, and renewed", async (t) => {
    await cluster.kubectl("create", "serviceaccount", "-n", "default", "reader");
    const role = ["--clusterrole=cluster-admin", "--serviceaccount=default:reader"];
    await cluster.kubectl("create", "clusterrolebinding", "reader", ...role);
    const login = (token: string) => cluster.login({ name: "reader", token });
    const kubeconfig = login(await cluster.token("default", "reader"));
    const picture = new Picture(t, { kubeconfig });
    await picture.watch.synced;
    // An account's tokens go with it; a watch that runs is not ended for it, so it is cut.
    await cluster.kubectl("delete", "serviceaccount", "-n", "default", "reader");
    await cluster.kubectl("create", "serviceaccount", "-n", "default", "reader");
    await cluster.stopApi();
    assert.ok(await cluster.startApi());
    await until(() => picture.issues.some(({ message }) => message.includes("Unauthorized")));
    login(await cluster.token("default", "reader"));
    await until(() => picture.issues.length === 0);
    await picture.converges(cluster);
    assert.deepEqual(picture.gone, []);
  });
}

async function provesClocks(t: TestContext, { cluster, proxy, through, admin }: Given) {
  await t.test("this machine's clock jumps forth and back", async (t) => {
    const picture = new Picture(t, { kubeconfig: through });
    await picture.watch.synced;
    const real = Date.now;
    t.after(() => void (Date.now = real));
    for (const hours of [30, -30]) {
      Date.now = () => real() + hours * 3_600_000;
      proxy.cut();
      const churn = new Churn(admin);
      await sleep(300);
      await churn.end();
      await picture.converges(cluster);
      keptStay(picture);
    }
  });
}
