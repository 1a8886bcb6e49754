// The lab itself, without agents: it is what other tests trust, so it must see what is wrong. Pods
// then leave as the CNI lets them, and every policy is broken: the control for tests that find
// nothing. Each test has a lab of its own, named after this process.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { MAIN, sluice, temporaryFolder } from "../support/run-cli.ts";
import { check, makeLab, missingForLab, remains, succeed } from "./make-lab.ts";

const POLICY = "demo/policy.yaml";
const skip = missingForLab() ?? false;

for (const cni of ["ptp", "bridge"]) {
  test(`a lab wired by ${cni} sees where packets come from, until its end`, { skip }, (t) => {
    const { name, lab } = makeLab(t);
    succeed(lab("up", "--no-agents", "--ipv6", "--cni", cni));
    assert.ok(remains(name).length > 10, "the control: a lab that is up is found");
    const first = check(lab, "--once");
    assert.deepEqual([first.exit, first.fits, first.leaks], [0, true, []]);
    assert.equal(first.flows.length, 6 * 2 * 3);
    assert.ok(first.sniffer.packets >= first.flows.length);
    const byWorker = first.flows.filter(({ node }) => node === "worker-1");
    const seen = new Set(byWorker.map((flow) => flow.seen));
    assert.deepEqual([...seen].sort(), ["198.51.100.11", "2001:db8:100::11"]);
    succeed(lab("down"));
    assert.deepEqual(remains(name), []);
    assert.match(succeed(lab("down")), /there was no lab/);
  });
}

test("a policy that nobody carries out is a mismatch and a leak", { skip }, (t) => {
  const { lab } = makeLab(t);
  succeed(lab("up", "--no-agents", "--pods", "3"));
  succeed(lab("policy", "apply", POLICY));
  const { exit, fits, flows, leaks, sniffer } = check(lab, "--once");
  assert.deepEqual([exit, fits, sniffer.missed], [1, false, 0]);
  assert.ok(flows.every((flow) => !flow.fits));
  assert.ok(leaks.some(({ address, packets }) => address === "198.51.100.11" && packets > 0));
  const traffic = lab("traffic", "--seconds", "2", "--flows", "1");
  assert.equal(traffic.exit, 1, "flows that leave with another address fail the traffic too");
  assert.match(traffic.stdout, /6 of 6 flows unbroken.*against all plans/s);
  succeed(lab("policy", "delete", "outside"));
  assert.equal(check(lab, "--once").exit, 0);
});

describe("a lab changes while it is up:", { skip }, () => {
  test("pods come and go, nodes change their labels, files say so", (t) => {
    const { name, lab } = makeLab(t);
    succeed(lab("up", "--no-agents", "--workers", "1", "--gateways", "1", "--pods", "1"));
    assert.match(succeed(lab("pod", "add", "late", "gateway-1")), /late runs on gateway-1/);
    assert.equal(check(lab, "--once").flows.length, 2 * 3);
    const addresses = succeed(lab("exec", "late", "--", "ip", "-br", "address"));
    assert.match(addresses, /eth0@.* UP +10\.244\./);
    assert.equal(lab("exec", "pod-1", "--", "sh", "-c", "exit 7").exit, 7);
    succeed(lab("pod", "delete", "late"));
    assert.equal(check(lab, "--once").flows.length, 3);
    succeed(lab("label", "gateway-1", "egress-"));
    succeed(lab("label", "gateway-1", "zone=a"));
    const file = `/run/sluice-lab/${name}/cluster/node-gateway-1.json`;
    const node = JSON.parse(readFileSync(file, "utf8")) as { metadata: { labels: unknown } };
    assert.deepEqual(node.metadata.labels, { "kubernetes.io/hostname": "gateway-1", zone: "a" });
    assert.match(lab("label", "gateway-1", "a b=c").stderr, /'a b=c' is refused: .*a label key/);
    assert.match(lab("label", "gateway-1", "zone=b c").stderr, /is refused: .*a label value/);
    assert.match(lab("pod", "add", "gateway-1").stderr, /there is a node 'gateway-1' already/);
    const status = JSON.parse(succeed(lab("status", "-o", "json"))) as {
      readonly pods: readonly { readonly namespace: string; readonly labels: object }[];
      readonly server: readonly string[];
      readonly options: readonly string[];
    };
    assert.deepEqual(status.server, ["198.51.100.100"]);
    const pods = status.pods.map(({ namespace, labels }) => ({ namespace, labels }));
    assert.deepEqual(pods, [{ namespace: "lab", labels: { app: "client" } }]);
    const another = sluice(["lab", "--name", "nobodys", "status"]);
    assert.match(another.stderr, new RegExp(`no lab 'nobodys'\\n.*--name: .*\\b${name}\\b`));
    const gone = sluice(["lab", "--name", "nobodys", "down"]).stdout;
    assert.match(gone, new RegExp(`^there was no lab 'nobodys'; there are: .*\\b${name}\\b`));
  });

  test("long-lived flows are counted, and one that breaks is seen", async (t) => {
    const { lab, name } = makeLab(t);
    succeed(lab("up", "--no-agents", "--pods", "2"));
    const whole = lab("traffic", "--seconds", "2", "--flows", "2", "-o", "json");
    const { fits, flows } = JSON.parse(succeed(whole)) as {
      fits: boolean;
      flows: { sent: number; answered: number }[];
    };
    assert.deepEqual([fits, flows.length], [true, 2 * 2 * 2]);
    assert.ok(flows.every(({ sent, answered }) => sent > 20 && answered === sent));
    const words = ["lab", "--name", name, "traffic", "--seconds", "3", "--flows", "1"];
    const stdio = ["ignore", "pipe", "ignore"] as const;
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: [...stdio] });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.stdout.resume();
    await sleep(1500);
    const cut = ["-n", `sl-${name}_worker-1`, "link", "set", "out0", "down"];
    assert.equal(spawnSync("ip", cut).status, 0);
    assert.equal(await ended, 1, "lost answers fail the traffic");
  });
});

describe("a lab that cannot be:", { skip }, () => {
  test("a name that is taken, limits, unknown pods and refused policies are said", (t) => {
    const { lab } = makeLab(t);
    assert.match(lab("check").stderr, /there is no lab .*\n.*lab up/);
    assert.match(lab("up", "--pods", "65").stderr, /at most 64/);
    succeed(lab("up", "--no-agents", "--pods", "1"));
    assert.match(lab("up", "--no-agents").stderr, /there is a lab .* already.*\n.*lab down/);
    assert.match(lab("exec", "pod-9", "--", "true").stderr, /no pod 'pod-9'.*\n.*pod-1/);
    const refused = join(temporaryFolder(t), "policy.yaml");
    const head = "apiVersion: cilium.io/v2\nkind: CiliumEgressGatewayPolicy\n";
    writeFileSync(refused, `${head}metadata: {name: empty}\nspec: {}\n`);
    const { exit, stderr } = lab("policy", "apply", refused);
    assert.equal(exit, 2);
    assert.match(stderr, /is refused\n.*selectors/);
  });

  test("an agent that does not start: its last words, and nothing is left but its log", (t) => {
    const { name, lab } = makeLab(t);
    const broken = join(temporaryFolder(t), "preload.cjs");
    const words = 'if (process.argv[2] === "agent") throw new Error("these are last words");\n';
    writeFileSync(broken, words);
    const { exit, stderr } = sluice(["lab", "--name", name, "up"], {
      env: { NODE_OPTIONS: `--require=${broken}` },
    });
    assert.equal(exit, 2);
    assert.match(stderr, /the agent of \S+ has ended\n.*log[^]*these are last words/);
    assert.deepEqual(readdirSync(`/run/sluice-lab/${name}`), ["log"]);
    rmSync(`/run/sluice-lab/${name}`, { recursive: true });
    assert.deepEqual(remains(name), []);
    succeed(lab("up", "--no-agents", "--pods", "1"));
  });

  test("down finds everything when up was killed at any moment", async (t) => {
    for (const ms of [120, 180, 250, 350, 500]) {
      const { name, lab } = makeLab(t);
      const words = ["lab", "--name", name, "up", "--no-agents", "--ipv6"];
      const child = spawn(process.execPath, [MAIN, ...words], { stdio: "ignore" });
      await sleep(ms);
      child.kill("SIGKILL");
      succeed(lab("down"));
      // What the killed process had started comes to its end by itself.
      await sleep(300);
      succeed(lab("down"));
      assert.deepEqual(remains(name), [], `after ${ms} ms`);
    }
  });
});
