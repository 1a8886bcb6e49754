// Network namespaces from the outside: commands inside them, processes that live in them, their
// end. A command enters by nsenter and not by `ip netns exec`, which mounts /sys anew and hides
// bpffs.

import { spawn } from "node:child_process";
import { mkdirSync, openSync, closeSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { runCommand } from "../../drivers/kernel/command.ts";
import { LabError } from "./lab-error.ts";
import type { LabPlace } from "./place.ts";
import { NAMESPACES_DIRECTORY, namespacePath } from "./place.ts";

/** Runs a shell script in a namespace; the first command that fails ends it. */
export function runScript(namespace: string, script: string): Promise<string> {
  const args = [`--net=${namespacePath(namespace)}`, "sh", "-eu", "-s"];
  return runCommand("nsenter", args, { input: script, target: `namespace ${namespace}` });
}

/**
 * Starts a process in a namespace that outlives this one and writes to `log`. Its number, also when
 * the command is none: then it has ended when somebody looks.
 */
export function startDetached(
  namespace: string,
  { command, log }: { readonly command: readonly string[]; readonly log: string },
): number | undefined {
  mkdirSync(dirname(log), { recursive: true });
  const out = openSync(log, "a");
  const child = spawn("nsenter", [`--net=${namespacePath(namespace)}`, ...command], {
    detached: true,
    stdio: ["ignore", out, out],
    cwd: "/",
  });
  closeSync(out);
  // What goes wrong here is seen where somebody waits for the process to answer.
  child.on("error", () => undefined);
  child.unref();
  return child.pid;
}

/** True until a process has let go of everything that it had: files, ports. */
export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The lab's namespaces that exist, by name. */
export function namespacesOf(place: LabPlace): string[] {
  let names: string[];
  try {
    names = readdirSync(NAMESPACES_DIRECTORY);
  } catch {
    return [];
  }
  return names.filter((name) => name.startsWith(place.prefix)).sort();
}

/** What /proc calls a namespace, as in `net:[4026532000]`; undefined: there is none. */
export function identityOf(namespace: string): string | undefined {
  try {
    return `net:[${statSync(namespacePath(namespace)).ino}]`;
  } catch {
    return undefined;
  }
}

/** Every process that lives in one of these namespaces: whatever it is, it is the lab's. */
export function processesIn(identities: ReadonlySet<string>): number[] {
  const pids = readdirSync("/proc").filter((name) => /^[1-9][0-9]*$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return identities.has(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

const POLL_MS = 20;
const END_MS = 3000;

/** Ends every process in these namespaces: politely, after a while by force. */
export async function endProcesses(identities: ReadonlySet<string>): Promise<void> {
  const started = performance.now();
  for (;;) {
    const pids = processesIn(identities).filter((pid) => pid !== process.pid);
    if (pids.length === 0) return;
    const spent = performance.now() - started;
    if (spent > 2 * END_MS) {
      throw new LabError(
        `these processes of the lab do not end: ${pids.join(", ")}`,
        "See what they are with 'ps', end them, then run 'sluice lab down' again.",
      );
    }
    for (const pid of pids) end(pid, spent > END_MS ? "SIGKILL" : "SIGTERM");
    await pause(POLL_MS);
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
