// `sluice validate`: only what is wrong or surprising.

import { writeIssues } from "../plan/plan-data.ts";
import { renderIssueCount, renderIssues } from "../plan/render-issues.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { inputOf } from "./input.ts";
import { judgeIssues, loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import type { Terminal } from "./terminal.ts";

/** Shows the issues of the input; `found` where there are errors. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const loaded = await loadCluster(inputOf(args), terminal);
  const { issues } = planCluster(loaded, settingsOf(args));
  const { screen, emit } = terminal;
  const form = args.choice("output", ["table", "json", "yaml"]);
  if (form !== "table") writeIssues(issues, form, emit);
  else if (issues.length > 0) renderIssues(issues, screen, emit);
  else emit(`${screen.paint("good", renderIssueCount(issues))}\n`);
  return judgeIssues(issues, { strict: args.has("strict") }, terminal);
}
