// An agent with its sources and its status, from start to the signal that ends it.

import { probeNeighbours } from "../../drivers/kernel/neighbour-probe.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { Emit } from "../../lib/screen.ts";
import { watchDirectory } from "../../sources/directory.ts";
import { watchKernel } from "../../sources/kernel-state.ts";
import { serveStatus } from "../../status/serve.ts";
import { Agent } from "./agent.ts";
import { errorsOf, runChecks } from "./doctor.ts";
import type { AgentOptions } from "./options.ts";
import { statusOf } from "./status-of.ts";

export interface RunOptions extends Omit<AgentOptions, "probe" | "log" | "onStep"> {
  /** The watched directory of objects. */
  readonly source: string;
  /** Of Sluice. */
  readonly version: string;
  readonly statusListen: string;
  readonly metricsListen: string;
  /** For tests of restarts: the process kills itself after so many steps; 0: never. */
  readonly killAfterStep: number;
  /** Ends the agent. */
  readonly signal: AbortSignal;
  /** Where its log goes, one line an event. */
  readonly tell: Emit;
}

/** Runs until `signal`. Throws OperationError for what keeps it from starting. */
export async function runAgent(options: RunOptions): Promise<void> {
  await refuseUnfit(options);
  const log = (message: string, fields: Readonly<Record<string, string>>) => {
    const texts = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    options.tell(`${[new Date().toISOString(), message, ...texts].join(" ")}\n`);
  };
  const agent = new Agent({
    ...options,
    log,
    probe: (addresses) => void probeNeighbours(addresses),
    ...(options.killAfterStep > 0 ? { onStep: countdown(options.killAfterStep) } : {}),
  });
  const begun = performance.now();
  const http = await serveStatus({
    listen: options.statusListen,
    metricsListen: options.metricsListen,
    document: () => statusOf(agent, options),
  });
  const directory = watchDirectory({
    path: options.source,
    onChanges: (changes) => agent.onObjects(changes),
    onIssues: (issues) => agent.onIssues(issues),
  });
  void directory.synced.then(() => agent.onObjectsSynced());
  const kernel = watchKernel({
    onState: (state) => agent.onKernel(state),
    onError: ({ message, remedy }: OperationError) => log("kernel", { error: message, remedy }),
  });
  log("started", { node: options.node, source: options.source });
  await aborted(options.signal);
  await Promise.all([directory.close(), kernel.close(), http.close()]);
  await agent.close();
  log("ended", { afterSeconds: ((performance.now() - begun) / 1000).toFixed(1) });
}

/** Says everything that is wrong with the node at once, before anything is changed. */
async function refuseUnfit(options: RunOptions): Promise<void> {
  const errors = errorsOf(await runChecks(options));
  if (errors.length === 0) return;
  const texts = errors.map(({ check, message, remedy }) => `${check}: ${message}; ${remedy}`);
  const target = `node ${options.node}`;
  throw new OperationError({ code: "UnfitNode", op: "doctor", target, detail: texts.join(". ") });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Kills the process as a crash would, in the middle of its work. */
function countdown(steps: number): () => void {
  let left = steps;
  return () => {
    if (--left === 0) process.kill(process.pid, "SIGKILL");
  };
}
