// `kubectl sluice`: the command as kubectl finds and runs it, on the cluster that kubectl means.

import assert from "node:assert/strict";
import type { SpawnSyncReturns } from "node:child_process";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { ROOT, temporaryFolder } from "../support/run-cli.ts";
import { binary, missingForCluster } from "./binaries.ts";
import { addPod, policy, prepareCluster } from "./controlled.ts";
import { agentLogin, kubectlAs, nodeState } from "./installed.ts";

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
  const run: Run = (words, env) => {
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

  await t.test("reads what README's pipe gives it, egress IPs included [6.8]", async () => {
    const agent = await agentLogin(cluster, "gw-1");
    const { status, ...head } = nodeState("gw-1");
    const routes = { defaultRoutes: [{ family: "IPv4", interface: "eth0" }] };
    const state = { ...head, status: { ...status, ...routes } };
    const created = await kubectlAs(cluster, agent)(["create", "-f", "-"], state);
    assert.equal(created.exit, 0, created.stderr);
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const [pipe] = /^kubectl get .* \| sluice plan -f -$/m.exec(readme) ?? [];
    const path = [join(ROOT, "bin"), dirname(binary("kubectl")), process.env["PATH"]].join(":");
    const env = { PATH: path, LANG: "C.UTF-8", HOME: folder };
    const run = spawnSync("bash", ["-o", "pipefail", "-c", pipe ?? ""], { encoding: "utf8", env });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /\n {2}gw-1 {2}192\.0\.2\.7 /);
    assert.match(run.stdout, /\n {2}gw-2 {2}unknown .*\n {2}unknown: .* no NodeState .*nodestates/);
  });

  await meansWhatKubectlMeans(t, run);

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

type Environment = Readonly<Record<string, string>>;
type Run = (words: readonly string[], env: Environment) => SpawnSyncReturns<string>;

async function meansWhatKubectlMeans(t: TestContext, run: Run): Promise<void> {
  await t.test("status means the cluster, unless an agent is named", () => {
    const { status, stdout, stderr } = run(["status"], {});
    assert.equal(status, 1, stderr);
    assert.match(stdout, /^No controller has judged here yet\..*shop-a .*shop-b /s);
    const agent = run(["status", "--address", "127.0.0.1:1"], {});
    assert.equal(agent.status, 2);
    assert.match(agent.stderr, /no agent answers .*\n.*a whole cluster is asked with --kubeconfig/);
  });

  await t.test("explains a pod of a namespace as kubectl names it", () => {
    const { status, stdout, stderr } = run(["explain", "-n", "default", "shop-1"], {});
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^Traffic from default\/shop-1 /);
    const other = run(["explain", "-n", "other", "shop-1"], {});
    assert.equal(other.status, 2);
    assert.match(other.stderr, /no endpoint 'other\/shop-1' among/);
  });
}
