// `sluice doctor`: checks this node before anything is changed.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { errorsOf, runChecks } from "../apps/agent/doctor.ts";
import { renderFindings, writeFindings } from "../apps/agent/doctor/render-findings.ts";
import { DEFAULT_SETTINGS } from "../reconcile/datapath.ts";
import { MARK_SHIFT_MAX } from "../reconcile/mark.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import type { Terminal } from "./terminal.ts";

const PORT_MAX = 65_535;

/** As `sluice agent` has them, see agent.ts. */
const OBJECT = fileURLToPath(new URL("../../dist/sluice.bpf.o", import.meta.url));

/** Shows what was found; `found` where an agent cannot run here. */
export async function run(args: Arguments, { screen, emit }: Terminal): Promise<Exit> {
  const bpfDirectory = args.text("bpf-dir") ?? "";
  const shifted = args.text("mark-shift") !== undefined;
  const findings = await runChecks({
    datapath: args.choice("datapath", ["sluice", "none"]),
    settings: {
      ...DEFAULT_SETTINGS,
      tunnelPort: bounded(args, "tunnel-port", PORT_MAX),
      markShift: shifted ? bounded(args, "mark-shift", MARK_SHIFT_MAX) : 0,
    },
    bpfDirectory,
    policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
    object: OBJECT,
  });
  if (args.choice("output", ["table", "json"]) === "json") writeFindings(findings, emit);
  else renderFindings(findings, screen, emit);
  return errorsOf(findings).length > 0 ? EXIT.found : EXIT.ok;
}

function bounded(args: Arguments, name: string, max: number): number {
  const value = args.count(name);
  if (value <= max) return value;
  throw new UsageError(`--${name} ${value} is too large`, `It is at most ${max}.`);
}
