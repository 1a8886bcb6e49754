// Takes everything of ours off a node. Programs go first, so that nothing marks packets that no
// rule would route any more.

import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readKernelState } from "../../drivers/kernel/ip-list.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { MAP_LAYOUTS } from "../../plan/map-layout.ts";
import type { DatapathSettings } from "../../reconcile/datapath.ts";
import { removeNetwork } from "../../sinks/network.ts";
import { removeNftables } from "../../sinks/nftables.ts";
import { removePrograms } from "../../sinks/programs.ts";

export interface UninstallOptions {
  readonly settings: DatapathSettings;
  readonly bpfDirectory: string;
  readonly policyMapDirectory: string;
  readonly stateDirectory: string;
  /** Somebody else reads the policy maps. */
  readonly keepMaps: boolean;
  /** Told each part that was there and is gone. */
  readonly told: (part: string) => void;
}

/** Throws OperationError; what is gone by then stays gone, and it may be called again. */
export async function uninstallNode(options: UninstallOptions): Promise<void> {
  const { settings, stateDirectory, policyMapDirectory } = options;
  const told = (part: string, removed: boolean) => removed && options.told(part);
  const { links } = await readKernelState();
  const devices = links.map(({ ifindex }) => ifindex);
  const programs = await removePrograms({ directory: options.bpfDirectory, devices });
  told("programs and their maps", programs);
  if (!options.keepMaps) told("policy maps", removeMaps(policyMapDirectory));
  told(`nftables table ${settings.nftTable}`, await removeNftables(settings));
  const network = await removeNetwork({ settings, stateDirectory });
  told("rules, routes, tunnel device; sysctls are as they were", network);
  told(`what was in ${stateDirectory}`, removeContent(stateDirectory));
}

function removeMaps(directory: string): boolean {
  const paths = Object.values(MAP_LAYOUTS).map(({ name }) => join(directory, name));
  const there = paths.filter((path) => existsSync(path));
  for (const path of there) rmSync(path, { force: true });
  return there.length > 0;
}

/** In a container the directory itself is a mount, which only its content can leave. */
function removeContent(directory: string): boolean {
  if (!existsSync(directory)) return false;
  const names = readdirSync(directory);
  for (const name of names) rmSync(join(directory, name), { recursive: true, force: true });
  try {
    rmdirSync(directory);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    if (code !== "EBUSY" && code !== "EROFS") {
      throw new OperationError({ code, op: "remove", target: directory, cause });
    }
  }
  return names.length > 0;
}
