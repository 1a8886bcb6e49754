// The contract of sources, kept by the Kubernetes API.

import assert from "node:assert/strict";
import { test } from "node:test";
import { missingForCluster } from "../cluster/binaries.ts";
import { startCluster } from "../cluster/cluster.ts";
import { define, POLICIES } from "../cluster/definitions.ts";
import { watchCluster } from "../cluster/watching.ts";
import { proveSource } from "./source.ts";

test("the Kubernetes API is a source", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await define(cluster, POLICIES);
  await proveSource(t, {
    put: (object) => cluster.apply(object),
    async remove({ kind, metadata }) {
      await cluster.kubectl("delete", kind, metadata.name);
    },
    watch: (listener) => {
      return watchCluster(cluster.kubeconfig, {
        onChanges: (changes) => {
          // A cluster has namespaces and services of its own.
          const wanted = changes.filter(({ kind }) => kind === "Node" || kind in POLICY);
          if (wanted.length > 0) listener.onChanges(wanted);
        },
        onIssues: (issues) => listener.onIssues(issues),
      });
    },
    goAway: () => cluster.killApi(),
    async comeBack() {
      assert.ok(await cluster.startApi());
    },
  });
});

const POLICY = { CiliumEgressGatewayPolicy: true };
