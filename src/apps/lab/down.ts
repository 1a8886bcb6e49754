// `sluice lab down`: whatever of a lab is there goes, also when `up` was killed half-way. Nothing
// is looked up in files: processes are found by the namespaces that they live in, namespaces by
// their names, mounts by their place.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../drivers/kernel/command.ts";
import type { OperationError } from "../../lib/operation-error.ts";
import { endProcesses, identityOf, namespacesOf, pause } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";

const POLL_MS = 20;

export interface TearDownOptions {
  /** Leaves the directory of logs. */
  readonly keepLogs?: boolean;
  /** Told why the lab's objects stay in an API server that cannot be asked. */
  readonly onKept?: (reason: OperationError) => void;
}

/** Takes the lab away, whatever became of its API server; false: there was nothing of it. */
export async function tearDown(
  place: LabPlace,
  { keepLogs = false, onKept }: TearDownOptions = {},
): Promise<boolean> {
  const namespaces = namespacesOf(place);
  const found = namespaces.length > 0 || existsSync(place.directory);
  const identities = namespaces.map(identityOf).filter((one) => one !== undefined);
  // One that a killed `up` was just about to start may come up while the others end.
  const all = new Set(identities);
  // Agents that run would write their NodeStates again.
  await endProcesses(all);
  const kept = await leaveApi(place);
  if (kept !== undefined) onKept?.(kept);
  const input = namespaces.map((name) => `netns delete ${name}\n`).join("");
  if (input !== "") await runCommand("ip", ["-force", "-batch", "-"], { input });
  await endProcesses(all);
  for (const mount of mountsBelow(place.directory)) {
    await runCommand("umount", ["--lazy", mount]);
  }
  if (!found) return false;
  const entries = keepLogs ? readdirSync(place.directory).filter((name) => name !== "log") : [""];
  for (const name of entries) {
    rmSync(join(place.directory, name), { recursive: true, force: true });
  }
  return true;
}

/**
 * Takes the lab's objects out of the API server, if one has them, and ends the relay to it, which
 * lives in no namespace of the lab. Gives why the objects stay; undefined: they do not.
 */
async function leaveApi(place: LabPlace): Promise<OperationError | undefined> {
  if (!existsSync(place.api)) return undefined;
  const { hostRelayOf, removeObjects } = await import("./api-access.ts");
  const kept = await removeObjects(place);
  const relay = hostRelayOf(place);
  if (relay === undefined) return kept;
  process.kill(relay, "SIGTERM");
  while (hostRelayOf(place) === relay) await pause(POLL_MS);
  return kept;
}

/** Mount points below `directory`, the innermost first (proc(5), mountinfo). */
function mountsBelow(directory: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const points = lines.map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`)).reverse();
}
