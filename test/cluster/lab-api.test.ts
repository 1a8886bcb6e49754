// The lab on a real API server: what the server outside sees is what the plan of the API's objects
// says, while everything is changed by kubectl, and while the API server is away.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { LabPlace } from "../../src/apps/lab/place.ts";
import { check, makeLab, missingForLab, remains, succeed } from "../kernel/make-lab.ts";
import type { RunLab } from "../kernel/make-lab.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { startController } from "./controlled.ts";
import { accountLogin, installManifests } from "./installed.ts";

const skip = missingForCluster() ?? missingForLab() ?? false;

test("a lab on the Kubernetes API", { skip }, async (t) => {
  const cluster = await startCluster(t);
  const { name, lab } = makeLab(t);
  const early = lab("up", "--pods", "1", "--api", cluster.kubeconfig);
  assert.equal(early.exit, 2);
  assert.match(early.stderr, /not installed in the API server.*\n.*sluice install/);
  const nowhere = lab("up", "--pods", "1", "--api", "/nonexist");
  assert.equal(nowhere.exit, 2);
  assert.match(nowhere.stderr, /^sluice lab: \/nonexist: no such file/);
  assert.deepEqual(remains(name), [], "nothing was made");
  await installManifests(cluster);
  const { said } = startController(t, await accountLogin(cluster, "sluice-controller"), {});
  succeed(lab("up", "--ipv6", "--pods", "4", "--api", cluster.kubeconfig));
  await provesPackets(t, cluster, { lab, said });
  await t.test("an agent's log has no warnings of its runtime", () => {
    const log = readFileSync(new LabPlace(name).log("worker-1"), "utf8");
    assert.match(log, / applied/, "the control: it is the agent's");
    assert.doesNotMatch(log, /Warning/);
  });
  await t.test("down takes everything away, in the API server too", async () => {
    succeed(lab("down"));
    assert.deepEqual(remains(name), []);
    const left = await cluster.kubectl("get", "nodes,pods,cegp,nodestates", "-A", "-o", "name");
    assert.equal(left.trim(), "ciliumegressgatewaypolicy.cilium.io/outside");
  });
});

test("a lab whose kubeconfig is gone can be taken away", { skip }, async (t) => {
  const cluster = await startCluster(t);
  await installManifests(cluster);
  const { name, lab } = makeLab(t);
  const kubeconfig = cluster.login({ name: "borrowed" });
  const size = ["--workers", "1", "--gateways", "1", "--pods", "1"];
  succeed(lab("up", "--no-agents", ...size, "--api", kubeconfig));
  rmSync(kubeconfig);
  const { exit, stdout, stderr } = lab("down");
  assert.deepEqual([exit, stdout], [0, `lab '${name}' is gone\n`]);
  assert.match(stderr, /objects stay in its API server: .*borrowed.*no such file.*\n.*by hand/);
  assert.deepEqual(remains(name), []);
});

function fits(lab: RunLab): ReturnType<typeof check>["flows"] {
  const found = check(lab);
  assert.ok(found.fits, JSON.stringify(found, undefined, 1));
  return found.flows;
}

const seenBy = (lab: RunLab) => new Set(fits(lab).map(({ seen }) => seen));

interface Running {
  readonly lab: RunLab;
  /** What the controller wrote. */
  said(): string;
}

async function provesPackets(t: TestContext, cluster: Cluster, { lab, said }: Running) {
  await t.test("kubectl apply makes packets leave through the gateways [5.1, 8.3]", async () => {
    // The control: without a policy every pod leaves with its node's address.
    assert.ok(![...seenBy(lab)].some((address) => address?.endsWith(".31")));
    await cluster.kubectl("apply", "--server-side", "-f", "demo/policy.yaml");
    const seen = seenBy(lab);
    for (const address of ["198.51.100.31", "198.51.100.41", "198.51.100.51"]) {
      assert.ok(seen.has(address), [...seen].join());
    }
  });

  await t.test("kubectl get says that every node's kernel holds it [1.7, 6.8]", async () => {
    const shown = () => cluster.kubectl("get", "cegp", "outside", "-o", "wide");
    let last = "";
    const programmed = async () => / True +True +Programmed +5\/5 /.test((last = await shown()));
    await until(programmed, { shown: () => `${last}\n${said()}`, pollMs: 500 });
    const path = "jsonpath={.status.gateways[*].egressIPs[0]}";
    const addresses = await cluster.kubectl("get", "cegp", "outside", "-o", path);
    const seen = seenBy(lab);
    for (const address of addresses.split(" ")) assert.ok(seen.has(address), address);
  });

  await t.test("nothing changes while the API server is away [8.5]", async () => {
    const before = [...seenBy(lab)].sort();
    await cluster.killApi();
    // The plan is that of the API server, so the server outside is asked alone.
    const exit = lab("exec", "pod-1", "--", "ping", "-c", "2", "-W", "2", "198.51.100.100").exit;
    assert.equal(exit, 0);
    assert.ok(await cluster.startApi());
    assert.deepEqual([...seenBy(lab)].sort(), before);
  });

  await t.test("a pod, a label and a deleted policy are followed", async () => {
    succeed(lab("pod", "add"));
    await cluster.kubectl("label", "node", "gateway-3", "egress-");
    assert.ok(!seenBy(lab).has("198.51.100.51"));
    succeed(lab("label", "gateway-3", "egress=yes"));
    await until(() => seenBy(lab).has("198.51.100.51"));
    succeed(lab("agent", "stop", "worker-1"));
    succeed(lab("agent", "start", "worker-1"));
    assert.ok(fits(lab).length > 0);
  });
}
