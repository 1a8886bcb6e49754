// `sluice diff`: what changes between two states of a cluster.

import { diffPlans, isEmptyDiff } from "../plan/diff.ts";
import { writeDiff } from "../plan/diff-data.ts";
import { renderDiff } from "../plan/render-diff.ts";
import { countOf, renderIssues } from "../plan/render-issues.ts";
import type { Plan } from "../plan/plan.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import { loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import type { Terminal } from "./terminal.ts";

/** Compares two states; `found` where they differ, `usage` where their input has errors. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const [from, to] = [args.all("from"), args.all("to")];
  if (from.includes("-") && to.includes("-")) {
    throw new UsageError("standard input (-) can be --from or --to, not both");
  }
  const settings = settingsOf(args);
  const before = planCluster(await loadCluster(from, terminal), settings);
  const after = planCluster(await loadCluster(to, terminal), settings);
  const diff = diffPlans(before, after);
  const { screen, emit } = terminal;
  const form = args.choice("output", ["table", "json", "yaml"]);
  if (form === "table") renderDiff(diff, screen, emit);
  else writeDiff(diff, form, emit);
  const refused = [tellErrors(before, "--from", terminal), tellErrors(after, "--to", terminal)];
  if (refused.includes(true)) return EXIT.usage;
  return isEmptyDiff(diff) ? EXIT.ok : EXIT.found;
}

/** A refused object makes the answer doubtful: true if there is one, said with all its errors. */
function tellErrors({ issues }: Plan, side: string, { tell, messages }: Terminal): boolean {
  if (countOf(issues, "error") === 0) return false;
  tell(`${messages.paint("error", "sluice diff")}: errors in the input of ${side}\n`);
  renderIssues(issues.filter(({ severity }) => severity === "error"), messages, tell);
  return true;
}
