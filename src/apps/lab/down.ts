// `sluice lab down`: whatever of a lab is there goes, also when `up` was killed half-way. Nothing
// is looked up in files: processes are found by the namespaces that they live in, namespaces by
// their names, mounts by their place.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../drivers/kernel/command.ts";
import { endProcesses, identityOf, namespacesOf, pause } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";

const POLL_MS = 20;

/** Takes the lab away; false: there was nothing of it. `keepLogs` leaves the directory of logs. */
export async function tearDown(
  place: LabPlace,
  { keepLogs = false }: { readonly keepLogs?: boolean } = {},
): Promise<boolean> {
  const namespaces = namespacesOf(place);
  const found = namespaces.length > 0 || existsSync(place.directory);
  const identities = namespaces.map(identityOf).filter((one) => one !== undefined);
  // One that a killed `up` was just about to start may come up while the others end.
  const all = new Set(identities);
  await leaveApi(place);
  await endProcesses(all);
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
 * Takes the lab's objects out of the API server, if one has them and answers, and ends the relay to
 * it, which lives in no namespace of the lab.
 */
async function leaveApi(place: LabPlace): Promise<void> {
  if (!existsSync(place.api)) return;
  const { hostRelayOf, removeObjects } = await import("./api-access.ts");
  await removeObjects(place);
  const relay = hostRelayOf(place);
  if (relay === undefined) return;
  process.kill(relay, "SIGTERM");
  while (hostRelayOf(place) === relay) await pause(POLL_MS);
}

/** Mount points below `directory`, the innermost first (proc(5), mountinfo). */
function mountsBelow(directory: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const points = lines.map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`)).reverse();
}
