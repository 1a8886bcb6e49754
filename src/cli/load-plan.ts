// From the input that a command names to the cluster and its plan: what plan, diff, explain and
// validate have in common.

import { buildPlan } from "../engine/build-plan.ts";
import { Engine } from "../engine/engine.ts";
import { compareBytes } from "../lib/order.ts";
import { counted, printable, thousands } from "../lib/text.ts";
import type { Acknowledgement } from "../model/acknowledgement.ts";
import { Cluster } from "../model/cluster.ts";
import type { ModelDelta } from "../model/delta.ts";
import type { Issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import type { Distribution } from "../model/policy.ts";
import { DISTRIBUTIONS } from "../model/policy.ts";
import type { Plan } from "../plan/plan.ts";
import { renderIssueCount } from "../plan/render-issues.ts";
import type { RowsMode } from "../plan/row.ts";
import { InputError, readInput } from "../sources/files.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import type { Input } from "./input.ts";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

const SUBDIRECTORIES_NAMED_MAX = 4;

/** A cluster as read. */
export interface LoadedCluster {
  readonly cluster: Cluster;
  /** Everything in the cluster, as differences from nothing. */
  readonly delta: ModelDelta;
  /** Of documents that are no objects. */
  readonly issues: readonly Issue[];
  /** What each node's agent says that its kernel holds; undefined: nothing is known of agents. */
  readonly acknowledgements?: LoadedObjects["acknowledgements"];
  /** Of the command so far; shows nothing at the moment. */
  readonly progress: Progress;
}

/** Objects as read, before they are joined. */
export interface LoadedObjects {
  readonly changes: readonly ObjectChange[];
  readonly issues: readonly Issue[];
  /** Of a live cluster only. */
  readonly acknowledgements?: ReadonlyMap<string, Acknowledgement> | undefined;
}

/** Reads and joins files or a live cluster. Throws UsageError for what cannot be read. */
export async function loadCluster(input: Input, terminal: Terminal): Promise<LoadedCluster> {
  return joinCluster(await loadObjects(input, terminal), terminal);
}

/** Reads files or a live cluster. Throws UsageError for what cannot be read. */
export async function loadObjects(input: Input, terminal: Terminal): Promise<LoadedObjects> {
  const progress = new Progress(terminal);
  try {
    if (input.kind === "live") {
      const { readLive } = await import("./live-cluster.ts");
      return await readLive(input, progress);
    }
    const { changes, skipped, passedOver, issues } = await readInput(input.paths, {
      onProgress({ bytes, objects }) {
        progress.update(`reading: ${counted(objects, "object")}, ${megabytes(bytes)}`);
      },
    });
    progress.done();
    tellSkipped(skipped, terminal);
    tellPassedOver(passedOver, terminal);
    return { changes, issues };
  } catch (error) {
    if (error instanceof InputError) throw new UsageError(error.message, "");
    throw error;
  } finally {
    progress.done();
  }
}

/** The cluster that these objects are. */
export function joinCluster(
  { changes, issues, acknowledgements }: LoadedObjects,
  terminal: Terminal,
): LoadedCluster {
  const progress = new Progress(terminal);
  progress.update(`joining: ${counted(changes.length, "object")}`);
  const cluster = new Cluster();
  const delta = cluster.apply(changes);
  progress.done();
  return { cluster, delta, issues, acknowledgements, progress };
}

export interface PlanSettings {
  readonly distribution: Distribution;
  readonly rows: RowsMode;
  readonly mapSize: number;
  /** Whose rows to derive; undefined: nobody's. */
  readonly node: string | undefined;
}

/** The settings of a command that has these options. */
export function settingsOf(args: Arguments): PlanSettings {
  return {
    distribution: args.choice("distribution", DISTRIBUTIONS),
    rows: args.choice("rows", ["needed", "all"]),
    mapSize: args.count("map-size"),
    node: args.text("node"),
  };
}

/** The plan of a cluster as read. */
export function planCluster(loaded: LoadedCluster, settings: PlanSettings): Plan {
  return planWithEngine(loaded, settings).plan;
}

/** The plan, and the engine that it is read from. */
export function planWithEngine(
  { cluster, delta, issues, progress }: LoadedCluster,
  { distribution, rows, mapSize, node }: PlanSettings,
): { readonly plan: Plan; readonly engine: Engine } {
  const scope = node === undefined ? undefined : { node, rows };
  progress.update(`planning: ${counted(delta.endpoints.length, "endpoint")}`);
  const engine = new Engine({ distribution, scope });
  engine.step(delta);
  const plan = buildPlan({ cluster, engine, rows, mapSize, issues, warnOfIdle: true });
  progress.done();
  return { plan, engine };
}

/** The exit status that the issues ask for, said on standard error where it is not 0. */
export function judgeIssues(
  issues: readonly Issue[],
  { strict }: { readonly strict: boolean },
  { tell, messages }: Terminal,
): Exit {
  const bad = issues.some(({ severity }) => severity === "error" || strict);
  if (!bad) return EXIT.ok;
  tell(`${messages.paint("error", "sluice")}: ${renderIssueCount(issues)} in the input\n`);
  return EXIT.found;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** One line about objects of kinds that play no part. */
function tellSkipped(skipped: ReadonlyMap<string, number>, { tell, messages }: Terminal): void {
  if (skipped.size === 0) return;
  const kinds = [...skipped].sort((a, b) => b[1] - a[1] || compareBytes(a[0], b[0]));
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  const named = kinds.map(([kind, count]) => `${printable(kind)} ${thousands(count)}`).join(", ");
  tell(messages.paint("faint", `skipped ${counted(total, "object")} of other kinds: ${named}`));
  tell("\n");
}

/** One line for each directory that has directories: like `kubectl`, nobody goes into those. */
function tellPassedOver(
  passedOver: ReadonlyMap<string, readonly string[]>,
  { tell, messages }: Terminal,
): void {
  for (const [path, inner] of passedOver) {
    const directories = inner.length === 1 ? "subdirectory" : "subdirectories";
    const rest = inner.length - SUBDIRECTORIES_NAMED_MAX;
    const names = inner.slice(0, SUBDIRECTORIES_NAMED_MAX).join(", ");
    const named = `${names}${rest > 0 ? ` and ${thousands(rest)} more` : ""}`;
    const text = `skipped ${thousands(inner.length)} ${directories} of ${path}: ${named}`;
    tell(messages.paint("faint", `${printable(text)}; name those that count too`));
    tell("\n");
  }
}
