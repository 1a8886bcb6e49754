// The agent's options whose values the table of options cannot check by itself: what runs an agent
// reads them, and so does what writes an agent's command line for others to run.

import type { DatapathSettings } from "../reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../reconcile/datapath.ts";
import { MARK_SHIFT_MAX } from "../reconcile/mark.ts";
import type { Arguments } from "./arguments.ts";
import { parseArguments } from "./arguments.ts";
import { clusterCIDRs } from "./cluster-cidr.ts";
import { UsageError } from "./command.ts";
import { NODE_COMMANDS } from "./node-commands.ts";

const PORT_MAX = 65_535;
const VNI_MAX = 2 ** 24 - 1;

/** Of `--tunnel-port` and `--mark-shift`, which `sluice doctor` has too. Throws UsageError. */
export function checkedSettings(args: Arguments): DatapathSettings {
  return {
    ...DEFAULT_SETTINGS,
    tunnelPort: bounded(args, "tunnel-port", PORT_MAX),
    // A count is positive, so not to shift is to leave it out.
    markShift: args.text("mark-shift") ? bounded(args, "mark-shift", MARK_SHIFT_MAX) : 0,
  };
}

/** All settings of an agent's datapath. Throws UsageError. */
export function agentSettings(args: Arguments): DatapathSettings {
  return {
    ...checkedSettings(args),
    vni: bounded(args, "vni", VNI_MAX),
    unclassified: args.choice("unclassified", ["hold", "allow"]),
  };
}

/** Throws UsageError for words that an agent would refuse; `--node` is given to it elsewhere. */
export function checkAgentWords(words: readonly string[]): void {
  const agent = NODE_COMMANDS.find(({ name }) => name === "agent");
  if (agent === undefined || words.length === 0) return;
  try {
    const args = parseArguments(agent, [...words, "--node=any"], {});
    if (args === "help") throw new UsageError("--help runs no agent");
    agentSettings(args);
    clusterCIDRs(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const remedy = error.remedy || "'sluice agent --help' shows its options.";
    throw new UsageError(`--agent-arg: ${error.message}`, remedy);
  }
}

function bounded(args: Arguments, name: string, max: number): number {
  const value = args.count(name);
  if (value <= max) return value;
  throw new UsageError(`--${name} ${value} is too large`, `It is at most ${max}.`);
}
