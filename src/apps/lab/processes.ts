// The lab's long-lived processes: the server outside and one agent per node, each in its namespace.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { LabError } from "./lab-error.ts";
import { identityOf, isThere, pause, processesIn, startDetached } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";
import { programCommand, sluiceCommand } from "./programs.ts";
import type { LabNode, Topology } from "./topology.ts";
import { SERVER, SERVER_PORT } from "./topology.ts";

/** Where the agent of each node answers, in its own network. */
export const STATUS_LISTEN = "127.0.0.1:9879";
const METRICS = "127.0.0.1:9878";
const SERVER_START_MS = 10_000;
const POLL_MS = 20;
const AGENT_START_S = 60;
/** An agent that takes longer to end is ended by force. */
const AGENT_END_MS = 10_000;
/** An agent that is not seen after this time, and every so often, has ended. */
const AGENT_SEEN_MS = 500;
/** Lines of a log that an error repeats; where in the code it happened, the log itself says. */
const LOG_LINES = 8;
const STACK_FRAME = /^\s+at /;

/** Starts the server and waits until it listens. */
export async function startServer(place: LabPlace, { server }: Topology): Promise<void> {
  const log = place.log(SERVER);
  const command = programCommand("echo-server", [String(SERVER_PORT), ...server]);
  startDetached(place.namespace(SERVER), { command, log });
  const deadline = performance.now() + SERVER_START_MS;
  while (!readLog(log).includes("listening")) {
    if (performance.now() > deadline) {
      throw new LabError("the server does not start", lastWords(log));
    }
    await pause(POLL_MS);
  }
}

/**
 * Starts a node's agent; it gets the cluster's objects and no hint about the network. `options`:
 * more words of its command line.
 */
export function startAgent(
  place: LabPlace,
  { name }: Pick<LabNode, "name">,
  options: readonly string[] = [],
): number | undefined {
  const { bpf, state } = place.node(name);
  mkdirSync(state, { recursive: true });
  const kubeconfig = place.kubeconfig(name);
  const api = existsSync(kubeconfig);
  const command = sluiceCommand([
    "agent",
    ...(api ? ["--kubeconfig", kubeconfig] : ["--source", place.objects]),
    ...["--node", name],
    ...["--bpf-dir", bpf, "--state-dir", state],
    ...["--status-listen", STATUS_LISTEN, "--metrics-listen", METRICS],
    ...options,
  ]);
  return startDetached(place.namespace(name), { command, log: place.log(name) });
}

/** Waits until the agent says that its node is as the plan wants it. */
export async function waitForAgent(
  place: LabPlace,
  { name }: Pick<LabNode, "name">,
): Promise<void> {
  const asked = ask(place, { node: name, url: `http://${METRICS}/readyz`, seconds: AGENT_START_S });
  // An agent that has ended will not answer any more.
  const lost = new AbortController();
  const gone = watchForEnd(place, name, lost.signal);
  try {
    const answer = await Promise.race([asked, gone]);
    if ("body" in answer) return;
    throw new LabError(`the agent of ${name} ${answer.problem}`, lastWords(place.log(name)));
  } finally {
    lost.abort();
  }
}

async function watchForEnd(
  place: LabPlace,
  node: string,
  signal: AbortSignal,
): Promise<{ readonly problem: string }> {
  do await pause(AGENT_SEEN_MS);
  while (!signal.aborted && agentRuns(place, node) !== undefined);
  return { problem: "has ended" };
}

/** The agent's process; undefined: there is none. */
export function agentRuns(place: LabPlace, node: string): number | undefined {
  const identity = identityOf(place.namespace(node));
  if (identity === undefined) return undefined;
  return processesIn(new Set([identity])).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("agent");
    } catch {
      return false;
    }
  });
}

/** Ends the agent of a node, as a node's supervisor would; false: it did not run. */
export async function stopAgent(place: LabPlace, node: string): Promise<boolean> {
  const pid = agentRuns(place, node);
  if (pid === undefined) return false;
  const deadline = performance.now() + AGENT_END_MS;
  process.kill(pid, "SIGTERM");
  // Not until it is not seen: its ports are free a moment later.
  while (isThere(pid)) {
    if (performance.now() > deadline) process.kill(pid, "SIGKILL");
    await pause(POLL_MS);
  }
  return true;
}

/** What the agent of a node says of itself; undefined: it does not answer. */
export async function agentStatus(place: LabPlace, node: string): Promise<unknown> {
  const answer = await ask(place, { node, url: `http://${STATUS_LISTEN}/v1/status`, seconds: 0 });
  if (!("body" in answer)) return undefined;
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}

type Answer = { readonly body: string } | { readonly problem: string };

function ask(
  place: LabPlace,
  { node, url, seconds }: { readonly node: string; readonly url: string; readonly seconds: number },
): Promise<Answer> {
  const command = programCommand("ask", [url, String(seconds)]);
  return new Promise((resolve) => {
    execFile("nsenter", [`--net=${place.path(node)}`, ...command], (error, stdout, stderr) => {
      if (error === null) resolve({ body: stdout });
      else resolve({ problem: `does not get ready: ${stderr.trim() || error.message}` });
    });
  });
}

function readLog(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function lastWords(log: string): string {
  const said = readLog(log).split("\n").filter((line) => !STACK_FRAME.test(line));
  const lines = said.filter((line) => line.trim() !== "").slice(-LOG_LINES);
  if (lines.join("").trim() === "") return `Its log, ${log}, is empty.`;
  return `The end of its log, ${log}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
