// Runs the test cluster's kubectl, without the configuration of whoever runs the tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { dirname } from "node:path";
import { binary } from "./binaries.ts";

export interface KubectlOptions {
  /** The administrator's when absent. */
  readonly kubeconfig?: string;
  /** For `-f -`. */
  readonly input?: string;
}

export interface KubectlRun {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runKubectl(
  words: readonly string[],
  { kubeconfig = "", input = "" }: KubectlOptions,
): Promise<KubectlRun> {
  const child = spawn(binary("kubectl"), words, {
    stdio: "pipe",
    env: { PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfig), KUBECONFIG: kubeconfig },
  });
  const ended = once(child, "close");
  // A kubectl that ends early does not read its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { exit: child.exitCode, stdout, stderr };
}
