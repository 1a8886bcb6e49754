// `sluice plan`: what the policies mean for this cluster.

import { writePlan } from "../plan/plan-data.ts";
import { renderPlan } from "../plan/render-plan.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { inputOf } from "./input.ts";
import { judgeIssues, loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import type { Terminal } from "./terminal.ts";

/** Plans the input; `found` where it has errors. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const loaded = await loadCluster(inputOf(args), terminal);
  const plan = planCluster(loaded, settingsOf(args));
  const { screen, emit } = terminal;
  const form = args.choice("output", ["table", "wide", "json", "yaml"]);
  if (form === "json" || form === "yaml") writePlan(plan, form, emit);
  else if (form === "table") renderPlan(plan, { wide: false }, screen, emit);
  else renderPlan(plan, { wide: true }, { ...screen, linesMax: Infinity }, emit);
  return judgeIssues(plan.issues, { strict: args.has("strict") }, terminal);
}
