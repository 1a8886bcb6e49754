// A network namespace of this process's own: nothing of it is seen outside, and nothing outside is
// touched. What this process spawns lives in it too.

import { spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import koffi from "koffi";
import { errnoName } from "../../src/lib/operation-error.ts";

const CLONE_NEWNET = 0x40000000;

/** Enters a new one; gives why this machine cannot, or undefined. */
export function enterPrivateNetns(): string | undefined {
  if (process.getuid?.() !== 0) return "no network namespace here: it needs root";
  const unshare = koffi.load("libc.so.6").func("int unshare(int)");
  if (unshare(CLONE_NEWNET) !== 0) return `no network namespace here: ${errnoName(-koffi.errno())}`;
  const tried = spawnSync("ip", ["link", "set", "lo", "up"], { encoding: "utf8" });
  return tried.status === 0 ? undefined : `no network namespace here: ${tried.stderr}`;
}

/** Runs lines of shell, which must succeed. */
export function shell(script: string): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-ec", script], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}

/** A process in a network namespace of its own, as a pod; its pid names the namespace. */
export async function startPod(t: TestContext): Promise<number> {
  const child = spawn("unshare", ["-n", "sh", "-c", "echo; exec sleep 600"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child.pid as number;
}
