// `sluice uninstall`: makes this node as it was before the agent; with --cluster all nodes, and the
// cluster too.

import { join } from "node:path";
import { uninstallNode } from "../apps/agent/uninstall.ts";
import { OperationError } from "../lib/operation-error.ts";
import { DEFAULT_SETTINGS } from "../reconcile/datapath.ts";
import { askStatus } from "../status/ask.ts";
import { serveProbes } from "../status/serve.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import { STATUS_LISTEN_DEFAULT } from "./shared-options.ts";
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
    await refuseAgent(args.text("address") ?? STATUS_LISTEN_DEFAULT);
    let parts = 0;
    await uninstallNode({
      settings: DEFAULT_SETTINGS,
      bpfDirectory,
      policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
      stateDirectory: args.text("state-dir") ?? "",
      keepMaps: args.has("keep-maps"),
      told(part) {
        parts++;
        emit(`removed ${part}\n`);
      },
    });
    if (parts === 0) emit("nothing of Sluice was here\n");
    if (args.has("stay")) await stay(args.text("metrics-listen") ?? "", terminal);
    return EXIT.ok;
  } catch (error) {
    throw usageErrorOf(error);
  }
}

/** An agent would put everything back within seconds. Throws UsageError for one that answers. */
async function refuseAgent(address: string): Promise<void> {
  const who = await askStatus(address).then(
    ({ node }) => `the agent of ${node}`,
    (error: unknown) => {
      if (!(error instanceof OperationError) || error.code === "BadListen") throw error;
      return error.code === "NoAgent" ? undefined : "something that may be an agent";
    },
  );
  if (who === undefined) return;
  throw new UsageError(
    `${who} runs here and answers at ${address}; it would put everything back`,
    "End it first (in a cluster: sluice uninstall --cluster), or name this node's with --address.",
  );
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
