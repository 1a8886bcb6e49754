// The controllers' Lease in a real API server: never two holders at a time, and always one again.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Lease } from "../../src/apps/controller/lease.ts";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { startCluster } from "./cluster.ts";

const DURATION_MS = 1_500;

interface Contender {
  readonly lease: Lease;
  /** What it was told, in order. */
  readonly told: readonly boolean[];
  /** As a process that is gone: it renews no more and gives nothing up. */
  crash(): Promise<void>;
}

function contend(t: TestContext, cluster: Cluster, name: string, holder: string): Contender {
  const place = { kind: "kubeconfig", path: cluster.kubeconfig, context: undefined } as const;
  const connection = new KubeConnection(place);
  const told: boolean[] = [];
  const lease = new Lease({
    connection,
    namespace: "default",
    name,
    holder,
    durationMs: DURATION_MS,
    onChange: (held) => void told.push(held),
    onError: () => undefined,
  });
  t.after(async () => {
    await lease.close();
    await connection.close();
  });
  return { lease, told, crash: () => connection.close() };
}

/** Looks all the time until `done`; how often more than one held it. */
async function countDoubles(contenders: readonly Contender[], done: Promise<void>) {
  let running = true;
  let doubles = 0;
  void done.finally(() => (running = false));
  while (running) {
    if (contenders.filter(({ lease }) => lease.held).length > 1) doubles++;
    await sleep(5);
  }
  await done;
  return doubles;
}

test("the Lease", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  const holders = (all: readonly Contender[]) => all.filter(({ lease }) => lease.held);

  await t.test("has one holder, and another after it crashed or gave it up", async () => {
    const all = ["a", "b", "c"].map((holder) => contend(t, cluster, "one", holder));
    const story = async () => {
      await until(() => holders(all).length === 1);
      const [first] = holders(all) as [Contender];
      await first.crash();
      await until(() => holders(all).some((one) => one !== first));
      const [second] = holders(all) as [Contender];
      await second.lease.close();
      await until(() => holders(all).some((one) => one !== first && one !== second));
    };
    assert.equal(await countDoubles(all, story()), 0);
  });

  await t.test("says that it ran out while the process stood still", async (t) => {
    const { lease, told } = contend(t, cluster, "still", "one");
    await until(() => lease.held);
    await sleep(DURATION_MS);
    assert.deepEqual(told, [true], "the control: it was renewed");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DURATION_MS + 200);
    assert.equal(lease.held, false);
    await until(() => lease.held);
    // What was not written for want of it is judged anew.
    assert.deepEqual(told, [true, false, true]);
  });

  await t.test("the control: two Leases have two holders", async () => {
    const all = ["x", "y"].map((name) => contend(t, cluster, name, name));
    const both = until(() => holders(all).length === 2).then(() => sleep(50));
    assert.ok((await countDoubles(all, both)) > 0);
  });
});
