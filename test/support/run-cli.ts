// Runs the real command line in a process of its own, without this process's environment.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const MAIN = join(ROOT, "src/cli/main.ts");
export const EXAMPLE = ["-f", "examples/cluster", "-f", "examples/policy.yaml"] as const;

export interface Finished {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** `sluice WORDS`, in the project's folder, with neither terminal nor colours. */
export function sluice(words: readonly string[], options: RunOptions = {}): Finished {
  return execute(process.execPath, [MAIN, ...words], options);
}

/** A shell command line in which `sluice` is our command. */
export function inShell(shell: string, script: string, options: RunOptions = {}): Finished {
  const preamble = `sluice() { "${process.execPath}" "${MAIN}" "$@"; }\n`;
  // Node's pipes are sockets, and bash with a socket for input takes itself for a remote login.
  const flags = shell === "bash" ? ["--norc", "-c"] : ["-c"];
  return execute(shell, [...flags, preamble + script], options);
}

function execute(file: string, args: readonly string[], { stdin, env }: RunOptions): Finished {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: ROOT,
    input: stdin ?? "",
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", TERM: "xterm", ...env },
  });
  if (error !== undefined) throw error;
  return { exit: status, stdout, stderr };
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}
