// `sluice plan`: what the policies mean for this cluster.

import { compareBytes } from "../lib/order.ts";
import { counted, thousands } from "../lib/text.ts";
import type { ModelDelta } from "../model/delta.ts";
import { writePlan } from "../plan/plan-data.ts";
import { renderPlan } from "../plan/render-plan.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { UsageError } from "./command.ts";
import { inputOf } from "./input.ts";
import { judgeIssues, loadCluster, planCluster, settingsOf } from "./load-plan.ts";
import { nearest } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";

const NODES_NAMED_MAX = 8;

/** Plans the input; `found` where it has errors. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const loaded = await loadCluster(inputOf(args), terminal);
  checkNode(args.text("node"), loaded.delta);
  const plan = planCluster(loaded, settingsOf(args));
  const { screen, emit } = terminal;
  const form = args.choice("output", ["table", "wide", "json", "yaml"]);
  if (form === "json" || form === "yaml") writePlan(plan, form, emit);
  else if (form === "table") renderPlan(plan, { wide: false }, screen, emit);
  else renderPlan(plan, { wide: true }, { ...screen, linesMax: Infinity }, emit);
  return judgeIssues(plan.issues, { strict: args.has("strict") }, terminal);
}

/** A node needs no object of its own (rule 6.8), but a name that nothing has is a slip. */
function checkNode(node: string | undefined, { nodes, states, endpoints }: ModelDelta): void {
  if (node === undefined) return;
  const known = new Set([...nodes, ...states].map(({ key }) => key));
  for (const { value } of endpoints) if (value !== undefined) known.add(value.node);
  known.delete("");
  if (known.size === 0 || known.has(node)) return;
  const near = nearest(node, [...known], NODES_NAMED_MAX);
  const names = near.length > 0 ? near : [...known].sort(compareBytes).slice(0, NODES_NAMED_MAX);
  const rest = near.length > 0 ? 0 : known.size - names.length;
  const listed = `${names.join(", ")}${rest > 0 ? ` and ${thousands(rest)} more` : ""}`;
  throw new UsageError(
    `no node '${node}' among ${counted(known.size, "node")}, and no pod runs on one of that name`,
    near.length > 0 ? `Did you mean ${listed}?` : `Known are ${listed}.`,
  );
}
