// `sluice status`: what the agent of this node says about itself, or with a kubeconfig what a
// cluster's objects say.

import { askStatus } from "../status/ask.ts";
import type { StatusDocument } from "../status/document.ts";
import { renderStatus } from "../status/render-status.ts";
import { writeStatus } from "../status/write-status.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, usageErrorOf } from "./command.ts";
import { isLive } from "./input.ts";
import { STATUS_LISTEN_DEFAULT } from "./shared-options.ts";
import type { Terminal } from "./terminal.ts";

/** Shows the status; EXIT.found unless the node is ready. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  if (isLive(args) || meansCluster(args)) {
    const { statusOfCluster } = await import("./status-cluster.ts");
    return statusOfCluster(args, terminal);
  }
  const { screen, emit } = terminal;
  const document = await ask(args.text("address") ?? STATUS_LISTEN_DEFAULT);
  if (args.choice("output", ["table", "json"]) === "json") writeStatus(document, emit);
  else renderStatus(document, screen, emit);
  return document.ready ? EXIT.ok : EXIT.found;
}

/** As a plug-in of kubectl (scripts/kubectl-sluice.sh), unless an agent is named. */
function meansCluster(args: Arguments): boolean {
  return process.env["SLUICE_KUBECTL_PLUGIN"] === "1" && args.text("address") === undefined;
}

async function ask(address: string): Promise<StatusDocument> {
  try {
    return await askStatus(address);
  } catch (error) {
    throw usageErrorOf(error);
  }
}
