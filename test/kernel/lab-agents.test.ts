// The lab with agents: what the server outside sees is what the plan says, for every protocol and
// family, while pods, policies, gateways and agents come and go. The control, that the lab sees it
// where it is not so, is in lab.test.ts.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { ROOT, sluice } from "../support/run-cli.ts";
import { trafficDuring } from "./lab-traffic.ts";
import type { RunLab } from "./make-lab.ts";
import { check, makeLab, missingForLab, remains, succeed } from "./make-lab.ts";

const POLICY = "demo/policy.yaml";
/** For new flows to begin by the former plan, and for agents and new flows to follow a change. */
const BEFORE_MS = 2_500;
const AFTER_MS = 5_000;
const programs = join(ROOT, "dist/sluice.bpf.o");
const skip =
  missingForLab() ?? (existsSync(programs) ? false : "not built: run make build for the programs");

/** Everything is as planned and nobody saw another address. */
function assertFits(lab: RunLab): void {
  const { exit, flows, leaks, sniffer } = check(lab);
  const wrong = flows.filter(({ fits }) => !fits);
  assert.deepEqual({ wrong, leaks, missed: sniffer.missed }, { wrong: [], leaks: [], missed: 0 });
  assert.equal(exit, 0);
  assert.ok(flows.length > 0 && sniffer.packets > flows.length);
}

for (const cni of ["ptp", "bridge"]) {
  test(`with ${cni}, every flow leaves as planned, whatever comes and goes [8.1, 8.3, 8.4]`, {
    skip,
  }, (t) => {
    const { name, lab } = makeLab(t);
    succeed(lab("up", "--ipv6", "--cni", cni));
    assertFits(lab);
    succeed(lab("policy", "apply", POLICY));
    assertFits(lab);
    const egress = new Set(check(lab).flows.map(({ seen }) => seen));
    assert.equal(egress.size, 6, "three gateways in two families");
    succeed(lab("pod", "add"));
    assertFits(lab);
    succeed(lab("pod", "delete", "pod-1"));
    succeed(lab("label", "gateway-2", "egress-"));
    assertFits(lab);
    succeed(lab("policy", "delete", "outside"));
    assertFits(lab);
    succeed(lab("down"));
    assert.deepEqual(remains(name), []);
  });
}

test("a node of a lab is asked as a node of one's own, and the lab as a cluster", { skip }, (t) => {
  const { lab } = makeLab(t);
  succeed(lab("up", "--workers", "1", "--gateways", "1", "--pods", "1"));
  succeed(lab("policy", "apply", POLICY));
  assertFits(lab);
  const onNode = (...words: string[]) => succeed(lab("exec", "gateway-1", "sluice", ...words));
  assert.match(onNode("status"), /^gateway-1 +ready/);
  assert.match(onNode("map", "list"), /198\.51\.100\.31/);
  assert.match(onNode("doctor"), /an agent can run here/);
  const beside = lab("exec", "gateway-1", "sluice", "uninstall", "--", "--yes");
  assert.deepEqual([beside.exit, beside.stdout], [2, ""]);
  assert.match(beside.stderr, /the agent of gateway-1 runs here and answers at 127\.0\.0\.1:9879/);
  const { options } = JSON.parse(succeed(lab("status", "-o", "json"))) as { options: string[] };
  const explained = succeed(sluice(["explain", ...options, "pod-1", "198.51.100.100"]));
  assert.match(explained, /198\.51\.100\.31/);
  succeed(lab("agent", "stop", "worker-1"));
  succeed(lab("pod", "add", "late", "worker-1"));
  assert.match(lab("check", "--once").stdout, /late .* no answer; no agent runs on worker-1\n/);
});

test("flows keep their gateway when it leaves the policy; new ones go elsewhere [8.5, 8.6]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  succeed(lab("up", "--ipv6"));
  succeed(lab("policy", "apply", POLICY));
  assertFits(lab);
  const leaving = ["198.51.100.51", "2001:db8:100::51"];
  const { fits, flows, newFlows, leaks, changes } = await trafficDuring(name, async () => {
    await sleep(BEFORE_MS);
    succeed(lab("label", "gateway-3", "egress-"));
    await sleep(AFTER_MS);
  });
  const broken = flows.filter((one) => one.broken !== null || one.sent !== one.answered);
  assert.deepEqual({ broken, leaks, changes }, { broken: [], leaks: [], changes: 1 });
  const kept = flows.filter(({ last }) => leaving.includes(last ?? ""));
  assert.ok(kept.length > 0, "the control: some flows use the gateway that leaves");
  assert.ok(kept.every(({ first, last }) => first === last));
  const moved = newFlows.filter(({ seen }) => leaving.includes(seen[0] as string));
  assert.ok(moved.length > 0);
  assert.ok(moved.every(({ seen }) => !leaving.includes(seen.at(-1) as string)));
  assert.ok(fits);
  assertFits(lab);
});

test("a policy that appears and goes breaks no flow that is older [8.5]", { skip }, async (t) => {
  const { name, lab } = makeLab(t);
  succeed(lab("up", "--pods", "4"));
  const { flows, leaks } = await trafficDuring(name, async () => {
    await sleep(BEFORE_MS);
    succeed(lab("policy", "apply", POLICY));
    await sleep(BEFORE_MS);
    succeed(lab("policy", "delete", "outside"));
    await sleep(AFTER_MS);
  });
  assert.deepEqual(flows.filter((one) => one.broken !== null), []);
  assert.ok(flows.every(({ first, last, sent, answered }) => first === last && sent === answered));
  assert.deepEqual(leaks, []);
});

test("without agents everything goes on, and a new pod waits for one [8.5, 8.7]", {
  skip,
}, async (t) => {
  const { name, lab } = makeLab(t);
  const nodes = ["worker-1", "worker-2", "gateway-1", "gateway-2", "gateway-3"];
  succeed(lab("up", "--ipv6"));
  succeed(lab("policy", "apply", POLICY));
  assertFits(lab);
  const { flows, leaks } = await trafficDuring(name, async () => {
    const status = JSON.parse(succeed(lab("status", "-o", "json"))) as {
      readonly nodes: readonly { readonly agent: { readonly pid: number } }[];
    };
    for (const { agent } of status.nodes) process.kill(agent.pid, "SIGKILL");
    await sleep(AFTER_MS);
  });
  const broken = flows.filter((one) => one.broken !== null || one.sent !== one.answered);
  assert.deepEqual({ broken, leaks }, { broken: [], leaks: [] });
  assertFits(lab);
  succeed(lab("pod", "add", "late", "worker-1"));
  const held = check(lab, "--once");
  const late = held.flows.filter(({ pod }) => pod === "late");
  assert.deepEqual(late.map(({ seen }) => seen), Array(6).fill(null));
  assert.deepEqual(held.leaks, []);
  for (const node of nodes) assert.match(succeed(lab("agent", "start", node)), /ready/);
  assertFits(lab);
});
