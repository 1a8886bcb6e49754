// The image's files, assembled on this machine, run by runc with exactly the DaemonSet's
// capabilities, mounts and read-only root: agents in containers carry out a lab's plan.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { LabPlace } from "../../src/apps/lab/place.ts";
import { ABI_DIRECTORY } from "../../src/reconcile/datapath-maps.ts";
import { ROOT } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { agentPod, ociConfig } from "./container.ts";
import { check, makeLab, missingForLab, succeed } from "./make-lab.ts";

const POLICY = "demo/policy.yaml";
const NODES = ["worker-1", "gateway-1"];

function missing(): string | undefined {
  const lab = missingForLab();
  if (lab !== undefined) return lab;
  if (spawnSync("runc", ["--version"]).status !== 0) return "runc is not installed";
  return undefined;
}

/** What the image consists of, in a directory of this test's own. */
function assemble(directory: string): string {
  const image = join(directory, "image");
  const { status, stderr } = spawnSync(join(ROOT, "deploy/image/assemble.sh"), [image], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return image;
}

/** Containers of one test, gone after it. */
class Containers {
  readonly #directory: string;
  readonly #place: LabPlace;
  readonly #rootfs: string;
  readonly #names: string[] = [];

  constructor(t: TestContext, lab: string) {
    this.#directory = mkdtempSync(join(tmpdir(), "sluice-image-"));
    t.after(() => this.#remove());
    this.#place = new LabPlace(lab);
    this.#rootfs = assemble(this.#directory);
  }

  /** Runs the agent of a node; gives what it wrote so far, when asked. */
  start(node: string, without?: string): () => string {
    const [{ args }] = agentPod().containers;
    // A lab's objects are files.
    return this.run(node, [...args, "--source", this.#place.objects], without);
  }

  /** Ends a node's containers, as a kubelet would. */
  end(node: string): void {
    for (const name of this.#names.filter((one) => one.includes(`-${node}-`))) {
      spawnSync("runc", ["--root", join(this.#directory, "runc"), "delete", "--force", name]);
    }
  }

  /** Runs another command in the agent's container. */
  run(node: string, args: readonly string[], without?: string): () => string {
    const { bpf, state } = this.#place.node(node);
    const name = `${this.#place.name}-${node}-${this.#names.length}`;
    const bundle = join(this.#directory, name);
    mkdirSync(bundle);
    mkdirSync(state, { recursive: true });
    mkdirSync(join(this.#rootfs, this.#place.objects), { recursive: true });
    const config = ociConfig({
      rootfs: this.#rootfs,
      netns: this.#place.path(node),
      node,
      hostPaths: { "/sys/fs/bpf": bpf, "/var/lib/sluice": state },
      args,
      source: this.#place.objects,
      ...(without === undefined ? {} : { without }),
    });
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    const log = join(bundle, "log");
    const out = openSync(log, "a");
    spawn("runc", ["--root", join(this.#directory, "runc"), "run", "--bundle", bundle, name], {
      stdio: ["ignore", out, out],
    });
    this.#names.push(name);
    return () => readFileSync(log, "utf8");
  }

  #remove(): void {
    for (const name of this.#names) {
      spawnSync("runc", ["--root", join(this.#directory, "runc"), "delete", "--force", name]);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

test("agents in containers, with the manifest's rights, carry out the plan", {
  skip: missing() ?? false,
}, async (t) => {
  const { name, lab } = makeLab(t);
  const size = ["--workers", "1", "--gateways", "1", "--pods", "2", "--ipv6"];
  succeed(lab("up", "--no-agents", ...size));
  succeed(lab("policy", "apply", POLICY));
  assert.equal(check(lab, "--once").exit, 1, "the control: without agents nothing fits");
  const containers = new Containers(t, name);
  const logs = NODES.map((node) => containers.start(node));
  await until(() => {
    return logs.every((log) => {
      assert.doesNotMatch(log(), /remedy|Error|sluice agent:/);
      return / applied/.test(log());
    });
  });
  const { exit, fits, leaks, flows } = check(lab);
  assert.deepEqual([exit, fits, leaks], [0, true, []]);
  assert.ok(flows.length > 0);

  await t.test("a new container takes over from the old one", async () => {
    containers.end("worker-1");
    const log = containers.start("worker-1");
    await until(() => / applied/.test(log()), { shown: log });
    assert.doesNotMatch(log(), /failed/);
    const again = check(lab);
    assert.deepEqual([again.exit, again.fits, again.leaks], [0, true, []]);
  });

  await t.test("lost pins are said, with what to do", async () => {
    containers.end("gateway-1");
    const { bpf } = new LabPlace(name).node("gateway-1");
    rmSync(join(bpf, ABI_DIRECTORY), { recursive: true });
    const log = containers.start("gateway-1");
    await until(() => /PinsLost/.test(log()), { shown: log });
    assert.match(log(), /[Aa]dd SYS_ADMIN to the agent's capabilities/);
  });

  await t.test("and a container in their place makes the node as it was", async () => {
    const tables = () => {
      const place = new LabPlace(name);
      const nft = [`--net=${place.path("worker-1")}`, "nft", "list", "tables"];
      return spawnSync("nsenter", nft, { encoding: "utf8" }).stdout;
    };
    assert.match(tables(), /inet sluice/, "the control: the agent's table is there");
    containers.end("worker-1");
    const log = containers.run("worker-1", ["uninstall", "--yes", "--stay"]);
    await until(() => log().includes("clean; ready on"), { shown: log });
    assert.doesNotMatch(tables(), /inet sluice/);
  });
});

test("each capability of the manifest is needed", { skip: missing() ?? false }, async (t) => {
  const { name, lab } = makeLab(t);
  succeed(lab("up", "--no-agents", "--workers", "1", "--gateways", "1", "--pods", "1"));
  const containers = new Containers(t, name);
  const { add } = agentPod().containers[0].securityContext.capabilities;
  assert.ok(add.length > 0);
  for (const capability of add) {
    const log = containers.start("worker-1", capability);
    await until(() => log().includes(`lacks CAP_${capability}`));
  }
});
