// `kubectl sluice`: the command as kubectl finds and runs it, on the cluster that kubectl means.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT, temporaryFolder } from "../support/run-cli.ts";
import { binary, missingForCluster } from "./binaries.ts";
import { addPod, policy, prepareCluster } from "./controlled.ts";

test("kubectl sluice", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await prepareCluster(t);
  for (const [i, value] of ["a", "b"].entries()) {
    const labels = { app: "shop", slot: value };
    const selectors = [{ podSelector: { matchLabels: labels } }];
    await cluster.apply(policy(`shop-${value}`, [`gw-${i + 1}`], { selectors }));
  }
  await addPod(cluster, 1);
  await cluster.kubectl("label", "pod", "shop-1", "slot=a");
  // As installed anywhere: a link in PATH to the package's bin.
  const folder = temporaryFolder(t);
  symlinkSync(join(ROOT, "bin/kubectl-sluice"), join(folder, "kubectl-sluice"));
  mkdirSync(join(folder, ".kube"));
  copyFileSync(cluster.kubeconfig, join(folder, ".kube/config"));
  const run = (words: readonly string[], env: Readonly<Record<string, string>>) => {
    const path = [folder, dirname(binary("kubectl")), process.env["PATH"]].join(":");
    const all = { PATH: path, LANG: "C.UTF-8", HOME: folder, ...env };
    return spawnSync("kubectl", ["sluice", ...words], { encoding: "utf8", env: all });
  };

  await t.test("plans the cluster of ~/.kube/config, or of KUBECONFIG", () => {
    const home = run(["plan"], {});
    assert.equal(home.status, 0, home.stderr);
    assert.match(home.stdout, /shop-a .*endpoints? .* 1 gateway/s);
    const named = run(["plan"], { KUBECONFIG: cluster.kubeconfig, HOME: "/nowhere" });
    assert.equal(named.stdout, home.stdout);
    assert.equal(run(["plan"], { HOME: "/nowhere" }).status, 2);
  });

  await t.test("consolidates the policies of a live cluster, and nobody moves [7.3]", async () => {
    const rows = () => run(["plan", "--node", "worker-1", "-o", "json"], {}).stdout;
    const before = JSON.parse(rows()) as { rows: readonly unknown[] };
    assert.ok(before.rows.length > 0);
    const { status, stdout } = run(["consolidate", "-o", "yaml"], {});
    assert.equal(status, 1);
    const file = join(folder, "merged.yaml");
    writeFileSync(file, stdout);
    assert.match(await cluster.kubectl("apply", "-f", file), /\/shop created/);
    assert.deepEqual((JSON.parse(rows()) as { rows: readonly unknown[] }).rows, before.rows);
    await cluster.kubectl("delete", "cegp", "shop-a", "shop-b");
    assert.equal(run(["consolidate"], {}).status, 0);
  });
});
