// `sluice uninstall`: makes this node as it was before the agent; with --cluster all nodes, and the
// cluster too.

import { join } from "node:path";
import { uninstallNode } from "../apps/agent/uninstall.ts";
import { DEFAULT_SETTINGS } from "../reconcile/datapath.ts";
import { serveProbes } from "../status/serve.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** Removes what the agent programmed; says each part. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const { emit } = terminal;
  if (!args.has("yes") && !args.has("cluster")) {
    throw new UsageError(
      "pods that use an egress gateway will leave with this node's address",
      "Say --yes if that is meant.",
    );
  }
  const bpfDirectory = args.text("bpf-dir") ?? "";
  try {
    if (args.has("cluster")) {
      const { uninstallCluster } = await import("./uninstall-cluster.ts");
      return await uninstallCluster(args, terminal);
    }
    await uninstallNode({
      settings: DEFAULT_SETTINGS,
      bpfDirectory,
      policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
      stateDirectory: args.text("state-dir") ?? "",
      keepMaps: args.has("keep-maps"),
      told: (part) => emit(`removed ${part}\n`),
    });
    if (args.has("stay")) await stay(args.text("metrics-listen") ?? "", terminal);
    return EXIT.ok;
  } catch (error) {
    throw usageErrorOf(error);
  }
}

/** A DaemonSet that cleans nodes must not end: its pods would begin anew. */
async function stay(listen: string, { emit, flush }: Terminal): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  const server = await serveProbes({ listen, waitingFor: () => "", metrics: () => "" });
  emit(`clean; ready on ${server.address} until it is told to end\n`);
  flush();
  await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
  await server.close();
}
