// The image's files, assembled on this machine, run by runc with exactly the DaemonSet's
// capabilities, mounts and read-only root: agents in containers carry out a lab's plan.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { LabPlace } from "../../src/apps/lab/place.ts";
import { ABI_DIRECTORY } from "../../src/reconcile/datapath-maps.ts";
import { MAIN, ROOT } from "../support/run-cli.ts";
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

interface Traffic {
  readonly fits: boolean;
  readonly leaks: readonly unknown[];
  readonly flows: readonly {
    readonly answered: number;
    readonly wrong: number;
    readonly broken: string | null;
  }[];
}

/** Long-lived flows of every pod, established by now; gives what became of them. */
async function startTraffic(lab: string): Promise<() => Promise<Traffic>> {
  const words = ["lab", "--name", lab, "traffic", "--seconds", "15", "--flows", "2", "-o", "json"];
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = Promise.all([text(child.stdout), once(child, "close")]);
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (told += piece));
  await until(() => /flows established/.test(told), { shown: () => told });
  return async () => JSON.parse((await ended)[0]) as Traffic;
}

interface StartOptions {
  /** Leaves this capability away. */
  readonly without?: string;
  /** Of the image; this one's by default. */
  readonly version?: string;
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
  start(node: string, options: StartOptions = {}): () => string {
    const [{ args }] = agentPod().containers;
    // A lab's objects are files.
    return this.run(node, [...args, "--source", this.#place.objects], options);
  }

  /** Ends a node's containers, as a kubelet would. */
  end(node: string): void {
    for (const name of this.#names.filter((one) => one.includes(`-${node}-`))) {
      spawnSync("runc", ["--root", join(this.#directory, "runc"), "delete", "--force", name]);
    }
  }

  /** Runs another command in the agent's container. */
  run(node: string, args: readonly string[], options: StartOptions = {}): () => string {
    const { without, version } = options;
    const rootfs = version === undefined ? this.#rootfs : this.#imageOf(version);

    const { bpf, state } = this.#place.node(node);
    const name = `${this.#place.name}-${node}-${this.#names.length}`;
    const bundle = join(this.#directory, name);
    mkdirSync(bundle);
    mkdirSync(state, { recursive: true });
    mkdirSync(join(rootfs, this.#place.objects), { recursive: true });
    const config = ociConfig({
      rootfs,
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

  /** `kubectl exec` of a command in the node's last container. */
  exec(node: string, ...command: readonly string[]): { exit: number | null; said: string } {
    const name = this.#names.findLast((one) => one.includes(`-${node}-`)) ?? "";
    const words = ["--root", join(this.#directory, "runc"), "exec", name, ...command];
    const { status, stdout, stderr } = spawnSync("runc", words, { encoding: "utf8" });
    return { exit: status, said: stdout + stderr };
  }

  /** The same files with another version's number. */
  #imageOf(version: string): string {
    const image = join(this.#directory, `image-${version}`);
    if (existsSync(image)) return image;
    cpSync(this.#rootfs, image, { recursive: true, verbatimSymlinks: true });
    const path = join(image, "opt/sluice/package.json");
    const description = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...description, version }));
    return image;
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

  await t.test("a node is asked by the command `sluice` in its container", () => {
    const ask = (...words: string[]) => {
      const { exit, said } = containers.exec("gateway-1", "sluice", ...words);
      assert.equal(exit, 0, said);
      return said;
    };
    assert.match(ask("status"), /^gateway-1 +ready/);
    assert.match(ask("map", "list"), /198\.51\.100\.31/);
    assert.match(ask("doctor"), /^.*an agent can run here$/m);
  });

  await t.test("another version takes over under traffic, and this one again", async () => {
    const traffic = await startTraffic(name);
    for (const version of ["0.2.0", undefined]) {
      for (const node of NODES) {
        containers.end(node);
        const log = containers.start(node, version === undefined ? {} : { version });
        await until(() => / applied/.test(log()), { shown: log });
        assert.doesNotMatch(log(), /failed/);
      }
    }
    const { fits, flows, leaks } = await traffic();
    assert.ok(flows.length > 0 && flows.every(({ answered }) => answered > 0));
    assert.deepEqual(flows.filter(({ broken, wrong }) => broken !== null || wrong > 0), []);
    assert.deepEqual([fits, leaks], [true, []]);
  });

  await t.test("lost pins are said, with what to do", async () => {
    containers.end("gateway-1");
    const { bpf } = new LabPlace(name).node("gateway-1");
    rmSync(join(bpf, ABI_DIRECTORY), { recursive: true });
    const log = containers.start("gateway-1");
    const told = /PinsLost[^]*[Aa]dd SYS_ADMIN to the agent's capabilities/;
    await until(() => told.test(log()), { shown: log });
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
    const log = containers.start("worker-1", { without: capability });
    await until(() => log().includes(`lacks CAP_${capability}`));
  }
});
