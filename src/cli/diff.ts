// `sluice diff`: what changes between two states of a cluster.

import type { Place } from "../drivers/kube/access.ts";
import type { Kind } from "../model/objects.ts";
import { diffPlans, isEmptyDiff } from "../plan/diff.ts";
import { writeDiff } from "../plan/diff-data.ts";
import { renderDiff } from "../plan/render-diff.ts";
import { countOf, renderIssues } from "../plan/render-issues.ts";
import type { Plan } from "../plan/plan.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import type { Input } from "./input.ts";
import { isLive, placeOf } from "./input.ts";
import type { LoadedObjects } from "./load-plan.ts";
import { joinCluster, loadObjects, planCluster, settingsOf } from "./load-plan.ts";
import { overlay } from "./overlay.ts";
import type { Terminal } from "./terminal.ts";

/** Compares two states; `found` where they differ, `usage` where their input has errors. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const settings = settingsOf(args);
  const sides = await readSides(args, terminal);
  const before = planCluster(joinCluster(sides.before, terminal), settings);
  const after = planCluster(joinCluster(sides.after, terminal), settings);
  const diff = diffPlans(before, after);
  const { screen, emit } = terminal;
  const form = args.choice("output", ["table", "json", "yaml"]);
  if (form === "table") renderDiff(diff, screen, emit);
  else writeDiff(diff, form, emit);
  const oldSide = args.has("from") ? "--from" : "the cluster";
  const refused = [tellErrors(before, oldSide, terminal), tellErrors(after, "--to", terminal)];
  if (refused.includes(true)) return EXIT.usage;
  return isEmptyDiff(diff) ? EXIT.ok : EXIT.found;
}

interface Sides {
  readonly before: LoadedObjects;
  readonly after: LoadedObjects;
}

/** Two sets of files, or a live cluster and what it is with files applied to it. */
async function readSides(args: Arguments, terminal: Terminal): Promise<Sides> {
  const [from, to] = [args.all("from"), args.all("to")];
  const place = from.length === 0 ? placeOf(args) : undefined;
  if (from.length === 0 && place === undefined) {
    const problem = "--from PATH is required, or --kubeconfig PATH for a live cluster";
    throw new UsageError(problem, "For example: sluice diff --from old/ --to new/");
  }
  if (from.length > 0 && isLive(args)) {
    throw new UsageError("--from and --kubeconfig or --context exclude each other");
  }
  if (from.includes("-") && to.includes("-")) {
    throw new UsageError("standard input (-) can be --from or --to, not both");
  }
  // A file's Pod or CiliumEndpoint takes the place of the live one, which must be there for that.
  const live = (at: Place): Input => ({ kind: "live", place: at, endpoints: "auto" });
  const old: Input = place === undefined ? { kind: "files", paths: from } : live(place);
  const before = await loadObjects(old, terminal);
  const after = await loadObjects({ kind: "files", paths: to }, terminal);
  if (place === undefined) {
    tellLack({ side: "--to", of: after, other: before, then: "stops or is dropped" }, terminal);
    tellLack({ side: "--from", of: before, other: after, then: "starts" }, terminal);
    return { before, after };
  }
  const changes = overlay(before.changes, after.changes);
  return { before, after: { changes, issues: [...before.issues, ...after.issues] } };
}

const ENDPOINT_KINDS: readonly Kind[] = ["Pod", "CiliumEndpoint"];
const NODE_KINDS: readonly Kind[] = ["Node", "CiliumNode"];

/** Each side is a whole state: where one has no pods or no nodes at all, it was most likely cut. */
function tellLack(
  { side, of, other, then }: {
    readonly side: string;
    readonly of: LoadedObjects;
    readonly other: LoadedObjects;
    readonly then: string;
  },
  { tell, messages }: Terminal,
): void {
  const has = ({ changes }: LoadedObjects, kinds: readonly Kind[]) =>
    changes.some(({ kind }) => kinds.includes(kind));
  const lacks = (kinds: readonly Kind[]) => !has(of, kinds) && has(other, kinds);
  const lacking = [
    ...(lacks(ENDPOINT_KINDS) ? ["pods"] : []),
    ...(lacks(NODE_KINDS) ? ["nodes"] : []),
  ];
  if (lacking.length === 0) return;
  const remedy = `each side is a whole state: name the cluster's files with ${side} too`;
  const note = `${side} has no ${lacking.join(" and no ")}, so everybody ${then}; ${remedy}`;
  tell(`${messages.paint("warning", "sluice diff")}: ${note}\n`);
}

/** A refused object makes the answer doubtful: true if there is one, said with all its errors. */
function tellErrors({ issues }: Plan, side: string, { tell, messages }: Terminal): boolean {
  if (countOf(issues, "error") === 0) return false;
  tell(`${messages.paint("error", "sluice diff")}: errors in the input of ${side}\n`);
  renderIssues(issues.filter(({ severity }) => severity === "error"), messages, tell);
  return true;
}
