// Long-lived flows of every pod of a lab, watched from outside, while a test changes things.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { MAIN, ROOT } from "../support/run-cli.ts";

export interface TrafficReport {
  readonly fits: boolean;
  /** How often the plan changed. */
  readonly changes: number;
  readonly flows: readonly {
    readonly pod: string;
    readonly protocol: string;
    readonly server: string;
    readonly first: string | null;
    readonly last: string | null;
    readonly sent: number;
    readonly answered: number;
    readonly wrong: number;
    readonly broken: string | null;
  }[];
  /** In order: which addresses connections had that began meanwhile; null: no answer. */
  readonly newFlows: readonly {
    readonly pod: string;
    readonly server: string;
    readonly seen: readonly (string | null)[];
  }[];
  readonly leaks: readonly { readonly address: string; readonly packets: number }[];
  readonly sniffer: { readonly packets: number; readonly missed: number };
}

/** Longer than any test: it is ended. */
const SECONDS = 3600;

/** Runs `sluice lab traffic` during `change`, which begins when all flows are established. */
export async function trafficDuring(
  lab: string,
  change: () => Promise<void>,
  { flows = 2 }: { readonly flows?: number } = {},
): Promise<TrafficReport> {
  const words = ["traffic", "--seconds", String(SECONDS), "--flows", String(flows), "-o", "json"];
  const child = spawn(process.execPath, [MAIN, "lab", "--name", lab, ...words], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const ended = new Promise((resolve) => child.on("close", resolve));
  const established = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      told = line;
      if (/\d flows established/.test(line)) resolve();
    });
  });
  try {
    await Promise.race([established, ended]);
    await change();
  } finally {
    child.kill("SIGINT");
  }
  await ended;
  if (text === "") throw new Error(`no traffic: ${told}`);
  return JSON.parse(text) as TrafficReport;
}

/** Flows that ended, changed their address or got something that was not for them. */
export function broken({ flows }: TrafficReport): TrafficReport["flows"] {
  return flows.filter(({ first, last, protocol, sent, answered, wrong, broken: reason }) => {
    const cut = protocol === "TCP" && sent !== answered;
    return first === null || first !== last || reason !== null || wrong > 0 || cut;
  });
}

/** Those, and flows that lost a single datagram. */
export function harmed(report: TrafficReport): TrafficReport["flows"] {
  const lossy = report.flows.filter(({ sent, answered }) => sent !== answered);
  return [...new Set([...broken(report), ...lossy])];
}
