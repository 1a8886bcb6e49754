// `sluice consolidate`: policies that split pods over gateways by hand become one with a list.

import { blockYaml } from "../lib/data.ts";
import { counted, printable } from "../lib/text.ts";
import type { ModelView } from "../model/delta.ts";
import type { Consolidation } from "../plan/consolidate.ts";
import { proposeConsolidations } from "../plan/consolidate.ts";
import { underMergedNames } from "../plan/consolidated.ts";
import { diffPlans } from "../plan/diff.ts";
import type { Plan } from "../plan/plan.ts";
import { policyData } from "../plan/policy-data.ts";
import { renderDiff } from "../plan/render-diff.ts";
import { renderIssues } from "../plan/render-issues.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT } from "./command.ts";
import { inputOf } from "./input.ts";
import type { LoadedCluster } from "./load-plan.ts";
import { loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import type { Terminal } from "./terminal.ts";

/** Proposes; changes nothing. `found` where there is something to consolidate. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const loaded = await loadCluster(inputOf(args), terminal);
  const settings = settingsOf(args);
  const before = planCluster(loaded, settings);
  if (tellErrors(before, terminal)) return EXIT.usage;
  const { policies } = loaded.cluster.view();
  const proposals = proposeConsolidations([...policies.values()], {
    any: args.has("any"),
    taken: new Set(policies.keys()),
  });
  const { emit, screen } = terminal;
  if (args.choice("output", ["text", "yaml"]) === "yaml") {
    emit(proposals.map(yamlOf).join("---\n"));
    return proposals.length > 0 ? EXIT.found : EXIT.ok;
  }
  if (proposals.length === 0) {
    const told = "no two policies differ only in gateways and one label's values";
    emit(`Nothing to consolidate: ${told}.\n`);
    return EXIT.ok;
  }
  const old = underMergedNames(before, proposals);
  const diff = diffPlans(old, planCluster(consolidated(loaded, proposals), settings));
  for (const proposal of proposals) renderProposal(proposal, terminal);
  renderDiff(diff, screen, emit);
  emit(`\n${closing(proposals)}\n`);
  return EXIT.found;
}

/** A refused policy could belong to a group, which would look complete without it. */
function tellErrors({ issues }: Plan, { tell, messages }: Terminal): boolean {
  const errors = issues.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return false;
  tell(`${messages.paint("error", "sluice consolidate")}: errors in the input\n`);
  renderIssues(errors, messages, tell);
  return true;
}

/** The cluster with the merged policies in place of their members. */
function consolidated(
  { cluster, issues, progress }: LoadedCluster,
  proposals: readonly Consolidation[],
): LoadedCluster {
  const change = { kind: "CiliumEgressGatewayPolicy", refused: false, issues: [] } as const;
  cluster.apply(
    proposals.flatMap(({ members, merged }) => [
      ...members.map(({ name }) => ({ ...change, key: name, value: undefined })),
      { ...change, key: merged.name, value: merged },
    ]),
  );
  return { cluster, delta: deltaOf(cluster.view()), issues, progress };
}

function deltaOf({ policies, endpoints, nodes, states }: ModelView): LoadedCluster["delta"] {
  const changes = <K, V>(values: ReadonlyMap<K, V>) =>
    [...values].map(([key, value]) => ({ key, value }));
  return {
    policies: changes(policies),
    endpoints: changes(endpoints),
    nodes: changes(nodes),
    states: changes(states),
  };
}

function yamlOf({ merged }: Consolidation): string {
  return `${blockYaml(policyData(merged))}\n`;
}

function renderProposal(proposal: Consolidation, { screen, emit }: Terminal): void {
  const { members, merged, label } = proposal;
  const names = members.map(({ name }) => printable(name)).join(", ");
  const { arrow } = screen.glyphs;
  emit(`${screen.paint("title", `${names} ${arrow} ${printable(merged.name)}`)}\n`);
  const reason =
    label === undefined
      ? "the same destinations; their selectors are put one after the other"
      : `they differ only in gateways and in the values of the label ${printable(label)}`;
  emit(`  ${reason}\n\n${yamlOf(proposal)}\n`);
}

function closing(proposals: readonly Consolidation[]): string {
  const members = proposals.flatMap(({ members }) => members.map(({ name }) => name));
  return (
    `${counted(members.length, "policy")} would become ${counted(proposals.length, "policy")}. ` +
    "Apply the new ones first (-o yaml writes them): while the old ones are there\n" +
    "they win, so nothing moves. Then delete the old ones, one at a time if you like:\n" +
    `  kubectl delete cegp ${members.map(printable).join(" ")}\n` +
    "Established connections stay with their gateways either way."
  );
}
