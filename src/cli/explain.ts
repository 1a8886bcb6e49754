// `sluice explain`: why a pod's packets leave as they do.

import { explain } from "../engine/explain.ts";
import { parseAddress } from "../net/address.ts";
import { writeExplanation } from "../plan/explanation-data.ts";
import { renderExplanation } from "../plan/render-explanation.ts";
import type { Arguments } from "./arguments.ts";
import { clusterCIDRs } from "./cluster-cidr.ts";
import type { Exit } from "./command.ts";
import { UsageError } from "./command.ts";
import { findEndpoint } from "./find-endpoint.ts";
import { inputOf } from "./input.ts";
import { judgeIssues, loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import type { Terminal } from "./terminal.ts";

/** Explains one endpoint, for one destination or for all. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const [pod, destinationText] = args.positionals as [string, string | undefined];
  const destination = destinationText === undefined ? undefined : parseAddress(destinationText);
  if (destinationText !== undefined && destination === undefined) {
    throw new UsageError(
      `DESTINATION '${destinationText}' is not an IP address`,
      "Give one address without mask, as in 203.0.113.10 or 2001:db8::10.",
    );
  }
  const extra = clusterCIDRs(args);
  const loaded = await loadCluster(inputOf(args), terminal);
  const view = loaded.cluster.view();
  const endpoint = findEndpoint(pod, view.endpoints.values(), loaded.cluster.otherPods());
  const settings = { ...settingsOf(args), node: endpoint.node };
  const plan = planCluster(loaded, settings);
  const explanation = explain({
    view,
    plan,
    endpoint,
    destination,
    inside: loaded.cluster.prefixes({ extra }),
    clusterCidrs: extra,
    defaultDistribution: settings.distribution,
  });
  const { screen, emit } = terminal;
  const form = args.choice("output", ["text", "json"]);
  if (form === "text") renderExplanation(explanation, screen, emit);
  else writeExplanation(explanation, form, emit);
  return judgeIssues(explanation.issues, { strict: false }, terminal);
}
