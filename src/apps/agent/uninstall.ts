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
  /** Told each part that is gone. */
  readonly told: (part: string) => void;
}

/** Throws OperationError; what is gone by then stays gone, and it may be called again. */
export async function uninstallNode(options: UninstallOptions): Promise<void> {
  const { settings, stateDirectory, told } = options;
  const { links } = await readKernelState();
  const devices = links.map(({ ifindex }) => ifindex);
  await removePrograms({ directory: options.bpfDirectory, devices });
  told("programs and their maps");
  if (!options.keepMaps) {
    for (const { name } of Object.values(MAP_LAYOUTS)) {
      rmSync(join(options.policyMapDirectory, name), { force: true });
    }
    told("policy maps");
  }
  await removeNftables(settings);
  told(`nftables table ${settings.nftTable}`);
  await removeNetwork({ settings, stateDirectory });
  told("rules, routes, tunnel device; sysctls are as they were");
  removeContent(stateDirectory);
  told(`what was in ${stateDirectory}`);
}

/** In a container the directory itself is a mount, which only its content can leave. */
function removeContent(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    rmSync(join(directory, name), { recursive: true, force: true });
  }
  try {
    rmdirSync(directory);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    if (code === "EBUSY" || code === "EROFS") return;
    throw new OperationError({ code, op: "remove", target: directory, cause });
  }
}
