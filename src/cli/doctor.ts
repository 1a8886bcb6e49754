// `sluice doctor`: checks this node before anything is changed.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { errorsOf, runChecks } from "../apps/agent/doctor.ts";
import { renderFindings, writeFindings } from "../apps/agent/doctor/render-findings.ts";
import { checkedSettings } from "./agent-settings.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** As `sluice agent` has them, see agent.ts. */
const OBJECT = fileURLToPath(new URL("../../dist/sluice.bpf.o", import.meta.url));

/** Shows what was found; `found` where an agent cannot run here. */
export async function run(args: Arguments, { screen, emit }: Terminal): Promise<Exit> {
  const bpfDirectory = args.text("bpf-dir") ?? "";
  const findings = await runChecks({
    datapath: args.choice("datapath", ["sluice", "none"]),
    settings: checkedSettings(args),
    bpfDirectory,
    policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
    object: OBJECT,
  });
  if (args.choice("output", ["table", "json"]) === "json") writeFindings(findings, emit);
  else renderFindings(findings, screen, emit);
  return errorsOf(findings).length > 0 ? EXIT.found : EXIT.ok;
}
