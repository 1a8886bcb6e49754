// A storm of pods is no storm of writes: statuses written while many pods come, counted where they
// arrive, with the coalescing switched off as the control.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import { createObject, mergeObject } from "../../src/drivers/kube/objects.ts";
import type { Resource } from "../../src/drivers/kube/resource.ts";
import { sized } from "../support/soak.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { FAST, policy, prepareCluster, startController } from "./controlled.ts";
import { accountLogin } from "./installed.ts";
import { watchCluster } from "./watching.ts";

const PODS = sized(150, 2_000);
/** Longer than the storm lasts here: then one write begins it and one ends it. */
const INTERVAL_MS = sized(15_000, 60_000);

const POD: Resource = {
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Pod",
  namespaced: true,
};

/** Pods of a namespace, one after the other, each with an address. */
async function storm(connection: KubeConnection, namespace: string, third: number): Promise<void> {
  for (let i = 0; i < PODS; i++) {
    const name = `shop-${i}`;
    const metadata = { name, namespace, labels: { app: "shop" } };
    const spec = { nodeName: "worker-1", containers: [{ name: "c", image: "i" }] };
    await createObject(connection, POD, { metadata, spec });
    const podIP = `10.${third}.${i >> 8}.${i & 255}`;
    const status = { podIP, podIPs: [{ ip: podIP }], phase: "Running" };
    await mergeObject(connection, POD, { name, namespace }, { status }, { subresource: "status" });
  }
}

test("a storm of pods", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await prepareCluster(t);
  const login = await accountLogin(cluster, "sluice-controller");
  const place = { kind: "kubeconfig", path: cluster.kubeconfig, context: undefined } as const;
  const connection = new KubeConnection(place);
  t.after(() => connection.close());
  await cluster.apply(policy("shop", ["gw-1", "gw-2"]));

  let writes = 0;
  let endpoints = -1;
  const source = watchCluster(cluster.kubeconfig, {
    onChanges: () => undefined,
    onIssues: () => undefined,
    onRaw(kind, _, raw) {
      if (kind !== "CiliumEgressGatewayPolicy" || raw === undefined) return;
      writes++;
      endpoints = (raw["status"] as { endpoints?: number } | undefined)?.endpoints ?? -1;
    },
  });
  t.after(() => source.close());
  await source.synced;

  /** How often the status was written while the storm passed, and how often it might have been. */
  const during = async (namespace: string, third: number, statusIntervalMs: number) => {
    await cluster.kubectl("create", "namespace", namespace);
    const pace = { ...FAST, settleMs: 10, statusIntervalMs };
    const controller = startController(t, login, { identity: namespace, pace });
    await until(() => / active /.test(controller.said()) && endpoints >= 0);
    writes = 0;
    const before = endpoints;
    const beganMs = performance.now();
    await storm(connection, namespace, third);
    await until(() => endpoints === before + PODS);
    await controller.end();
    const intervals = Math.floor((performance.now() - beganMs) / INTERVAL_MS);
    return { writes, allowed: 2 + intervals };
  };

  const control = await during("control", 1, 0);
  const coalesced = await during("coalesced", 2, INTERVAL_MS);
  const told = `${coalesced.writes} writes, without coalescing ${control.writes}`;
  assert.ok(control.writes > 2 * control.allowed, told);
  assert.ok(coalesced.writes >= 1 && coalesced.writes <= coalesced.allowed, told);
  t.diagnostic(`${PODS} pods: ${told}`);
});
