// An agent with its sources and its status, from start to the signal that ends it.

import { readKernelState } from "../../drivers/kernel/ip-list.ts";
import { monitorTable } from "../../drivers/kernel/nft-monitor.ts";
import { probeNeighbours } from "../../drivers/kernel/neighbour-probe.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { Emit } from "../../lib/screen.ts";
import type { DatapathSettings } from "../../reconcile/datapath.ts";
import { restorePins } from "../../sinks/program-maps.ts";
import { watchKernel } from "../../sources/kernel-state.ts";
import { serveStatus } from "../../status/serve.ts";
import { Agent } from "./agent.ts";
import { errorsOf, runChecks } from "./doctor.ts";
import { checkSource, openSource } from "./object-source.ts";
import type { ObjectSource, SourcePlace } from "./object-source.ts";
import type { AgentOptions } from "./options.ts";
import { ownFacts } from "./own-facts.ts";
import { Publisher } from "./publisher.ts";
import { statusOf } from "./status-of.ts";

export interface RunOptions extends Omit<AgentOptions, "probe" | "log" | "onStep" | "onRun"> {
  readonly source: SourcePlace;
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

type Log = AgentOptions["log"];

/** Runs until `signal`. Throws OperationError for what keeps it from starting. */
export async function runAgent(options: RunOptions): Promise<void> {
  const log = logTo(options.tell);
  await checkSource(options.source);
  await refuseUnfit(options);
  const begun = performance.now();
  let agent: Agent | undefined;
  // Before anything is changed: where another agent runs, it has the addresses.
  const http = await serveStatus({
    listen: options.statusListen,
    metricsListen: options.metricsListen,
    async document() {
      if (agent === undefined) throw new Error("the agent is about to start");
      return statusOf(agent, options);
    },
  });
  try {
    if (options.datapath === "sluice") await adopt(options, log);
    let publisher: Publisher | undefined;
    agent = makeAgent(options, { log, onRun: () => publisher?.changed() });
    await feed(agent, options, { log, onPublisher: (opened) => (publisher = opened) });
  } finally {
    await http.close();
    await agent?.close();
  }
  log("ended", { afterSeconds: ((performance.now() - begun) / 1000).toFixed(1) });
}

function logTo(tell: Emit): Log {
  return (message, fields) => {
    const texts = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    tell(`${[new Date().toISOString(), message, ...texts].join(" ")}\n`);
  };
}

function makeAgent(options: RunOptions, told: Pick<AgentOptions, "log" | "onRun">): Agent {
  return new Agent({
    ...options,
    ...told,
    probe: (addresses) => void probeNeighbours(addresses),
    ...(options.killAfterStep > 0 ? { onStep: countdown(options.killAfterStep) } : {}),
  });
}

interface Feeding {
  readonly log: Log;
  readonly onPublisher: (publisher: Publisher | undefined) => void;
}

/** Tells the agent what its sources say, until the signal. */
async function feed(agent: Agent, options: RunOptions, told: Feeding): Promise<void> {
  const { log, onPublisher } = told;
  const objects = await openSource(options.source, {
    onChanges: (changes) => agent.onObjects(changes),
    onIssues: (issues) => agent.onIssues(issues),
    log,
  });
  const publisher = openPublisher(options, { agent, objects, log });
  onPublisher(publisher);
  const synced = objects.synced.then(() => agent.onObjectsSynced());
  const { datapath, settings } = options;
  const kernel = watchKernel({
    onState: (state) => agent.onKernel(state),
    onError: ({ message, remedy }: OperationError) => log("kernel", { error: message, remedy }),
    heard: { matches: oursAmongEvents(settings), onLine: debounced(() => agent.onDoubt()) },
  });
  const onError = ({ message, remedy }: OperationError) => log("nft", { error: message, remedy });
  const table =
    datapath === "none"
      ? undefined
      : monitorTable(settings.nftTable, { onEvent: debounced(() => agent.onDoubt()), onError });
  log("started", { node: options.node, source: objects.name });
  try {
    // Objects may turn out to be of a cluster that must be left alone.
    await Promise.race([aborted(options.signal), synced.then(() => aborted(options.signal))]);
  } finally {
    await publisher?.close();
    await Promise.all([objects.close(), kernel.close(), table?.close()]);
  }
}

interface Parts {
  readonly agent: Agent;
  readonly objects: ObjectSource;
  readonly log: Log;
}

/** Only where somebody could read it. */
function openPublisher(
  { node, version, policyMapDirectory }: RunOptions,
  { agent, objects: { publish }, log }: Parts,
): Publisher | undefined {
  if (publish === undefined) return undefined;
  return new Publisher({
    version,
    policyMapDirectory,
    facts: () => ownFacts(node, agent.view()),
    write: (status) => publish(node, status),
    log,
  });
}

/** Finds what runs although its pins are gone: somebody emptied the BPF file system. */
async function adopt(options: RunOptions, log: Log): Promise<void> {
  const { links } = await readKernelState();
  const pins = restorePins({
    directory: options.bpfDirectory,
    policyMapDirectory: options.policyMapDirectory,
    devices: links.map(({ ifindex }) => ifindex),
  });
  if (pins.length > 0) log("adopted", { pins: pins.join(" ") });
}

/** Says everything that is wrong with the node at once, before anything is changed. */
async function refuseUnfit(options: RunOptions): Promise<void> {
  const errors = errorsOf(await runChecks(options));
  if (errors.length === 0) return;
  const texts = errors.map(({ check, message, remedy }) => `${check}: ${message}; ${remedy}`);
  const target = `node ${options.node}`;
  throw new OperationError({ code: "UnfitNode", op: "doctor", target, detail: texts.join(". ") });
}

/** Rules, our routes, our device. */
function oursAmongEvents({ tunnelDevice, routeProtocol }: DatapathSettings): RegExp {
  return new RegExp(`^\\[RULE\\]|\\b${tunnelDevice}\\b|\\bproto ${routeProtocol}\\b`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Removals come in heaps, our own ones too. */
const DOUBT_MS = 50;

function debounced(act: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      act();
    }, DOUBT_MS);
  };
}

/** Kills the process as a crash would, in the middle of its work. */
function countdown(steps: number): () => void {
  let left = steps;
  return () => {
    if (--left === 0) process.kill(process.pid, "SIGKILL");
  };
}
