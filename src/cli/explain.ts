// `sluice explain`: why a pod's packets leave as they do.

import type { Engine } from "../engine/engine.ts";
import { expectedRows } from "../engine/expected-rows.ts";
import { explain } from "../engine/explain.ts";
import { parseAddress } from "../net/address.ts";
import type { Explanation } from "../plan/explanation.ts";
import { writeExplanation } from "../plan/explanation-data.ts";
import { renderExplanation } from "../plan/render-explanation.ts";
import { explainKernels } from "../reconcile/explain-kernels.ts";
import type { Arguments } from "./arguments.ts";
import { clusterCIDRs } from "./cluster-cidr.ts";
import type { Exit } from "./command.ts";
import { UsageError } from "./command.ts";
import { findEndpoint } from "./find-endpoint.ts";
import { inputOf } from "./input.ts";
import type { LoadedCluster, PlanSettings } from "./load-plan.ts";
import { judgeIssues, loadCluster, planWithEngine, settingsOf } from "./load-plan.ts";
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
  const namespace = args.text("namespace");
  const text = namespace === undefined ? pod : `${namespace}/${pod}`;
  const endpoint = findEndpoint(text, view.endpoints.values(), loaded.cluster.otherPods());
  const settings = { ...settingsOf(args), node: endpoint.node };
  const { plan, engine } = planWithEngine(loaded, settings);
  const planned = explain({
    view,
    plan,
    endpoint,
    destination,
    inside: loaded.cluster.prefixes({ extra }),
    clusterCidrs: extra,
    defaultDistribution: settings.distribution,
  });
  const explanation = { ...planned, kernels: kernelsOf(planned, { loaded, settings, engine }) };
  const { screen, emit } = terminal;
  const form = args.choice("output", ["text", "json"]);
  if (form === "text") renderExplanation(explanation, screen, emit);
  else writeExplanation(explanation, form, emit);
  return judgeIssues(explanation.issues, { strict: false }, terminal);
}

interface Planned {
  readonly loaded: LoadedCluster;
  readonly settings: PlanSettings;
  readonly engine: Engine;
}

/** Undefined where nothing is known of agents, as in files. */
function kernelsOf(
  explanation: Explanation,
  { loaded, settings: { rows }, engine }: Planned,
): Explanation["kernels"] {
  const { acknowledgements, cluster } = loaded;
  if (acknowledgements === undefined) return undefined;
  const nodes = new Set([...cluster.nodeNames(), explanation.endpoint.endpoint.node]);
  const policies = engine.policies().map(({ policy }) => policy);
  return explainKernels(explanation, {
    acknowledgements,
    generations: new Map(policies.map(({ name, generation }) => [name, generation])),
    expected: expectedRows(engine, { rows, nodes }),
    nowMs: Date.now(),
  });
}
