// `sluice uninstall`: makes this node as it was before the agent.

import { join } from "node:path";
import { uninstallNode } from "../apps/agent/uninstall.ts";
import { OperationError } from "../lib/operation-error.ts";
import { DEFAULT_SETTINGS } from "../reconcile/datapath.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** Removes what the agent programmed; says each part. */
export async function run(args: Arguments, { emit }: Terminal): Promise<Exit> {
  if (!args.has("yes")) {
    throw new UsageError(
      "pods that use an egress gateway will leave with this node's address",
      "Say --yes if that is meant.",
    );
  }
  const bpfDirectory = args.text("bpf-dir") ?? "";
  try {
    await uninstallNode({
      settings: DEFAULT_SETTINGS,
      bpfDirectory,
      policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
      stateDirectory: args.text("state-dir") ?? "",
      keepMaps: args.has("keep-maps"),
      told: (part) => emit(`removed ${part}\n`),
    });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { message, remedy } = error;
    throw new UsageError(message, `${remedy[0]?.toUpperCase()}${remedy.slice(1)}.`);
  }
}
