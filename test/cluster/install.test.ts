// `sluice install` and `sluice uninstall --cluster` against a real API server. There is no
// DaemonSet controller here: what it would say of the nodes, the test says.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { version } from "../../src/cli/version.ts";
import { sluice } from "../support/run-cli.ts";
import { missingForCluster } from "./binaries.ts";
import { CILIUM_DEFINITION, ciliumConfig } from "./cilium-definition.ts";
import type { Cluster } from "./cluster.ts";
import { startCluster } from "./cluster.ts";
import { ACCEPTED, policyOf } from "./policy-samples.ts";
import type { PolicySample } from "./policy-samples.ts";

const CRD = "crd/ciliumegressgatewaypolicies.cilium.io";
const POLICY = policyOf(ACCEPTED[0] as PolicySample);

const run = (cluster: Cluster, ...words: string[]) =>
  sluice([...words, "--kubeconfig", cluster.kubeconfig]);

/** Everything of ours, each with the version that the API server has. */
async function installed(cluster: Cluster): Promise<string[]> {
  const kinds = "crd,ns,sa,clusterrole,clusterrolebinding,role,rolebinding,ds,deploy,svc";
  const policies = "validatingadmissionpolicy,validatingadmissionpolicybinding";
  const words = ["get", `${kinds},${policies}`, "-A", "-l", "app.kubernetes.io/name=sluice"];
  const path = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  const printed = await cluster.kubectl(...words, "-o", `jsonpath=${path}`);
  return printed.split("\n").filter((line) => line !== "");
}

/** Says of the nodes what a DaemonSet controller would. */
async function nodesAre(cluster: Cluster, ready: number): Promise<void> {
  const status = {
    observedGeneration: 1_000,
    currentNumberScheduled: 2,
    desiredNumberScheduled: 2,
    numberMisscheduled: 0,
    updatedNumberScheduled: 2,
    numberReady: ready,
  };
  const words = ["patch", "-n", "sluice-system", "ds", "sluice-agent", "--subresource=status"];
  await cluster.kubectl(...words, "--type=merge", "-p", JSON.stringify({ status }));
}

test("installation", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await installs(t, cluster);
  await choosesImage(t, cluster);
  await uninstalls(t, cluster);
});

async function installs(t: TestContext, cluster: Cluster): Promise<void> {
  const count = sluice(["manifests"]).stdout.match(/^kind: /gm)?.length;

  await t.test("leaves Cilium's definition alone, says what differs [1.6, 1.7]", async () => {
    await cluster.apply(CILIUM_DEFINITION);
    const version = () => cluster.kubectl("get", CRD, "-o", "jsonpath={.metadata.resourceVersion}");
    await cluster.kubectl("wait", "--for=condition=Established", CRD, "--timeout=60s");
    const before = await version();
    const dry = run(cluster, "install", "--dry-run");
    assert.equal(dry.exit, 0, dry.stderr);
    // The namespace is not really there, so what lies in it cannot be tried.
    const unchecked = "its namespace sluice-system does not exist yet";
    assert.match(dry.stdout, new RegExp(`^not checked DaemonSet/sluice-agent: ${unchecked}$`, "m"));
    assert.match(dry.stdout, /^would apply ClusterRole\/sluice-agent$/m);
    assert.equal((await cluster.tryKubectl(["get", "ns", "sluice-system"])).exit, 1);
    const { exit, stderr } = run(cluster, "install");
    assert.equal(exit, 0, stderr);
    for (const sentence of [
      /The definition of policies is not Sluice's/,
      /a list of gateways is dropped silently/,
      /repeat the first entry of egressGateways/,
      /no status and no columns/,
      /not refused when applied/,
      /IPv4 prefixes only/,
    ]) {
      assert.match(stderr, sentence);
    }
    assert.equal(await version(), before);
    await cluster.kubectl("delete", CRD);
  });

  await t.test("says that no agent starts beside Cilium's own egress gateway", async () => {
    await cluster.apply(ciliumConfig({ "enable-egress-gateway": "true" }));
    const { exit, stderr } = run(cluster, "install");
    assert.equal(exit, 0);
    assert.match(stderr, /Cilium's own egress gateway is on.*\n.*turn it off/);
    await cluster.apply(ciliumConfig({ "enable-egress-gateway": "false" }));
    await cluster.kubectl("delete", CRD);
  });

  await t.test("applies everything, and changes nothing the second time", async () => {
    const first = run(cluster, "install");
    assert.deepEqual([first.exit, first.stderr], [0, ""]);
    const before = await installed(cluster);
    assert.equal(before.length, count);
    assert.equal(run(cluster, "install").exit, 0);
    assert.deepEqual(await installed(cluster), before);
    const dry = run(cluster, "install", "--dry-run", "--image", "images.example.com/other:1");
    assert.equal(dry.exit, 0, dry.stderr);
    assert.deepEqual(await installed(cluster), before);
  });

  await t.test("does not overwrite what somebody else set, unless it is told to", async () => {
    const set = ["set", "env", "-n", "sluice-system", "ds/sluice-agent", "SLUICE_PROC_SYS_NET=/x"];
    await cluster.kubectl(...set);
    const refused = run(cluster, "install");
    assert.equal(refused.exit, 2);
    assert.match(refused.stderr, /conflict/i);
    assert.equal(run(cluster, "install", "--force").exit, 0);
  });
}

async function choosesImage(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("keeps an image of this version, and asks about one of another", async () => {
    const image = `images.example.com:5000/net/sluice:${version()}`;
    const imageNow = () => {
      const path = "jsonpath={.items[*].spec.template.spec.containers[0].image}";
      return cluster.kubectl("get", "-n", "sluice-system", "ds,deploy", "-o", path);
    };
    const words = ["--image", image, "--agent-arg=--rows=all"];
    assert.equal(run(cluster, "install", ...words).exit, 0);
    const again = run(cluster, "install");
    assert.deepEqual([again.exit, await imageNow()], [0, `${image} ${image}`]);
    assert.match(again.stderr, /no longer get --rows=all/);
    const older = "images.example.com:5000/net/sluice:0.0.9";
    assert.equal(run(cluster, "install", "--image", older).exit, 0);
    const refused = run(cluster, "install");
    assert.deepEqual([refused.exit, await imageNow()], [2, `${older} ${older}`]);
    assert.ok(refused.stderr.includes(`for example --image ${image}`), refused.stderr);
    assert.equal(run(cluster, "install", "--image", `sluice:${version()}`).exit, 0);
  });
}

async function uninstalls(t: TestContext, cluster: Cluster): Promise<void> {

  await t.test("says what would leave how before it is removed, and asks", async () => {
    await cluster.apply(POLICY);
    const gateways = [{ entry: 0, node: "a", egressIPs: ["192.0.2.11"], endpoints: 3 }];
    const status = JSON.stringify({ status: { endpoints: 3, gateways } });
    const patch = ["--subresource=status", "--type=merge", "-p", status];
    await cluster.kubectl("patch", "cegp", POLICY.metadata.name, ...patch);
    const before = await installed(cluster);
    const { exit, stdout, stderr } = run(cluster, "uninstall", "--cluster");
    assert.deepEqual([exit, stdout], [2, ""]);
    assert.match(stderr, /will leave with their nodes' addresses/);
    assert.match(stderr, /addresses:\n +single-gateway: 3 endpoints, no longer with 192\./);
    assert.match(stderr, /\nSay --yes/);
    assert.deepEqual(await installed(cluster), before);
  });

  await t.test("says so where nobody carries the DaemonSet's change to the nodes", async () => {
    const { exit, stderr } = run(cluster, "uninstall", "--cluster", "--yes", "--timeout", "1");
    assert.equal(exit, 2);
    assert.match(stderr, /after 1 s nobody has told any node to clean up: .* not observed; no/);
    assert.match(stderr, /kube-controller-manager/);
  });

  await t.test("cleans the nodes first, and removes nothing while one is not clean", async () => {
    await nodesAre(cluster, 1);
    const kept = (await installed(cluster)).map((line) => line.split(" ")[0]);
    const { exit, stderr } = run(cluster, "uninstall", "--cluster", "--yes", "--timeout", "1");
    assert.equal(exit, 2);
    assert.match(stderr, /only 1 of 2 nodes are clean; nothing else was removed/);
    assert.deepEqual((await installed(cluster)).map((line) => line.split(" ")[0]), kept);
    const path = "jsonpath={.items[0].spec.template.spec.containers[0].args}";
    const args = await cluster.kubectl("get", "-n", "sluice-system", "ds", "-o", path);
    assert.equal(args, '["uninstall","--yes","--stay"]');
  });

  await t.test("removes everything but the policies, and these when it is told to", async () => {
    await nodesAre(cluster, 2);
    const first = run(cluster, "uninstall", "--cluster", "--yes");
    assert.equal(first.exit, 0, first.stderr);
    assert.match(first.stdout, /2 of 2 nodes are clean/);
    const left = await installed(cluster);
    // Nobody empties the namespace here: that is a controller's work.
    assert.deepEqual(
      left.map((line) => line.split(" ")[0]).filter((one) => !one?.startsWith("Namespace/")),
      ["CustomResourceDefinition/ciliumegressgatewaypolicies.cilium.io"],
    );
    assert.match(await cluster.kubectl("get", "cegp"), /single-gateway/);
    const second = run(cluster, "uninstall", "--cluster", "--yes", "--with-policies");
    assert.equal(second.exit, 0, second.stderr);
    assert.equal((await cluster.tryKubectl(["get", "cegp"])).exit, 1);
  });
}
