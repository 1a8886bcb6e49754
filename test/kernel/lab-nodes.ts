// The nodes of a lab from the inside: their agents as processes, what their kernels hold, and what
// the plan says that they should.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { isThere, pause } from "../../src/apps/lab/namespaces.ts";
import { LabPlace, podMember } from "../../src/apps/lab/place.ts";
import { agentRuns, agentStatus, startAgent, waitForAgent } from "../../src/apps/lab/processes.ts";
import { programCommand } from "../../src/apps/lab/programs.ts";
import { loadTopology } from "../../src/apps/lab/state.ts";
import type { LabNode, Topology } from "../../src/apps/lab/topology.ts";
import { SERVER_PORT } from "../../src/apps/lab/topology.ts";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { present } from "../../src/lib/assert.ts";
import { ABI_DIRECTORY, COUNTERS } from "../../src/reconcile/datapath-maps.ts";
import { PROGRAM_NAMES } from "../../src/sinks/programs.ts";
import { sluice } from "../support/run-cli.ts";
import type { KernelText } from "./kernel-text.ts";
import { readKernelText } from "./kernel-text.ts";

/** The machine may be busy: nobody who waits for an event gives up before this. */
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** Polls until `holds`; `what` says what never came. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`${what}: never came`);
    await pause(POLL_MS);
  }
}

/** One node of a lab that is up. */
export class NodeOfLab {
  readonly name: string;
  readonly bpf: string;
  readonly state: string;
  readonly #place: LabPlace;
  readonly #node: LabNode;
  /** The agent that was started here last. */
  #started: number | undefined;

  constructor(place: LabPlace, node: LabNode) {
    this.name = node.name;
    this.#place = place;
    this.#node = node;
    ({ bpf: this.bpf, state: this.state } = place.node(node.name));
  }

  /** Runs lines of shell in its network namespace, which must succeed. */
  shell(script: string): string {
    const args = [`--net=${this.#place.path(this.name)}`, "sh", "-ec", script];
    const options = { encoding: "utf8", maxBuffer: 2 ** 26 } as const;
    const { status, stdout, stderr } = spawnSync("nsenter", args, options);
    assert.equal(status, 0, `${this.name}: ${script}: ${stderr}`);
    return stdout;
  }

  get agent(): number | undefined {
    return agentRuns(this.#place, this.name);
  }

  /** Starts its agent and does not wait. `killAfterStep`: it kills itself so many steps later. */
  start({ killAfterStep }: { readonly killAfterStep?: number } = {}): void {
    if (killAfterStep !== undefined) process.env[KILL_VARIABLE] = String(killAfterStep);
    this.#started = startAgent(this.#place, this.#node);
    delete process.env[KILL_VARIABLE];
  }

  /** Waits until its agent says that all is written. */
  ready(): Promise<void> {
    return waitForAgent(this.#place, this.#node);
  }

  /** Ends its agent, and waits for the end. */
  async end(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const pid = this.agent;
    if (pid === undefined) return;
    process.kill(pid, signal);
    await this.#gone(pid);
  }

  /** Stops its agent in its tracks until `thaw`: this node's view gets old, what it wrote works. */
  freeze(): void {
    process.kill(present(this.agent, "an agent to freeze"), "SIGSTOP");
  }

  thaw(): void {
    process.kill(present(this.agent, "an agent to thaw"), "SIGCONT");
  }

  /** Waits until the agent that was started here has ended by itself. */
  ended(): Promise<void> {
    return this.#gone(present(this.#started, "an agent that was started"));
  }

  #gone(pid: number): Promise<void> {
    return until(`the end of the agent of ${this.name}`, () => !isThere(pid));
  }

  /** `sluice uninstall` in its namespace; the agent must have ended. */
  uninstall(): string {
    return this.shell(this.command(["uninstall", "--yes"]));
  }

  /** A command line of sluice with this node's directories, for a shell. */
  command(words: readonly string[]): string {
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const places = ["--bpf-dir", this.bpf, "--state-dir", this.state];
    return [process.execPath, main, ...words, ...places].join(" ");
  }

  /** Packets by reason, as its agent reads them from the kernel. */
  async counters(): Promise<Readonly<Record<string, number>>> {
    const status = (await agentStatus(this.#place, this.name)) as {
      readonly counters: readonly { readonly reason: string; readonly packets: number }[];
    };
    return Object.fromEntries(status.counters.map(({ reason, packets }) => [reason, packets]));
  }

  /** Rows in its policy maps: source, destination, egress IP, gateway. */
  rows(): string[] {
    return rowsOf(["map", "list", "--map-dir", join(this.bpf, "tc/globals")]);
  }

  /** The rows that the plan wants here, of the objects as they are now. */
  plannedRows(): string[] {
    const { objects, nodeStates } = this.#place;
    return rowsOf(["plan", "-f", objects, "-f", nodeStates, "--node", this.name]);
  }

  /** What the kernel has, part by part, in an order of its own; numbers of objects left out. */
  async kernel(): Promise<KernelText> {
    return { ...readKernelText((script) => this.shell(script)), ...(await this.#maps()) };
  }

  /** The entries of every map that is pinned, those that count excepted. */
  async #maps(): Promise<Record<string, string>> {
    const texts: Record<string, string> = {};
    for (const directory of [ABI_DIRECTORY, "tc/globals"]) {
      const path = join(this.bpf, directory);
      for (const name of existsSync(path) ? readdirSync(path).sort() : []) {
        const pin = `pin ${directory}/${name}`;
        texts[pin] = NO_ENTRIES.has(name) ? "" : await entriesOf(join(path, name));
      }
    }
    return texts;
  }
}

/** Programs, and the map that they count in. */
const NO_ENTRIES: ReadonlySet<string> = new Set([
  ...Object.values<string>(PROGRAM_NAMES),
  COUNTERS.name,
]);

const KILL_VARIABLE = "SLUICE_TEST_KILL_AFTER_STEP";

export interface Probed {
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  readonly address: string | null;
}

/** The nodes of a lab, by name. */
export class LabNodes {
  readonly place: LabPlace;
  readonly topology: Topology;
  readonly all: readonly NodeOfLab[];

  constructor(lab: string) {
    this.place = new LabPlace(lab);
    this.topology = loadTopology(this.place);
    this.all = this.topology.nodes.map((node) => new NodeOfLab(this.place, node));
  }

  node(name: string): NodeOfLab {
    return present(this.all.find((one) => one.name === name), name);
  }

  get gateways(): readonly NodeOfLab[] {
    return this.all.filter(({ name }) => name.startsWith("gateway-"));
  }

  /**
   * Connections from a pod to the server: which address it saw, null for no answer. TCP tries again
   * by itself, as long as `patienceMs`.
   */
  async probe(pod: string, patienceMs = PATIENCE_MS): Promise<readonly Probed[]> {
    const words = [String(SERVER_PORT), String(patienceMs), ...this.topology.server];
    const command = [`--net=${this.place.path(podMember(pod))}`, ...programCommand("probe", words)];
    const { stdout } = await promisify(execFile)("nsenter", command);
    return JSON.parse(stdout) as readonly Probed[];
  }

  /** Starts the agents that do not run and waits for all. */
  async allReady(): Promise<void> {
    for (const node of this.all) if (node.agent === undefined) node.start();
    await Promise.all(this.all.map((node) => node.ready()));
  }
}

interface ListedRow {
  readonly source: string;
  readonly destination: string;
  readonly egressIP: string | null;
  readonly gatewayIP: string;
}

function rowsOf(words: readonly string[]): string[] {
  const { exit, stdout, stderr } = sluice([...words, "-o", "json"]);
  assert.equal(exit, 0, stderr);
  const { rows } = JSON.parse(stdout) as { readonly rows: readonly ListedRow[] };
  return rows.map(({ source, destination, egressIP, gatewayIP }) => {
    return `${source} ${destination} ${egressIP} ${gatewayIP}`;
  });
}

async function entriesOf(path: string): Promise<string> {
  const map = BpfMap.open(path, "read");
  try {
    const { keySize, valueSize } = map.info;
    const { keys, values, count } = await map.dump();
    const hex = (bytes: Uint8Array, at: number, size: number) =>
      Buffer.from(bytes.subarray(at * size, (at + 1) * size)).toString("hex");
    const lines = Array.from({ length: count }, (_, i) => {
      return `${hex(keys, i, keySize)} ${hex(values, i, valueSize)}`;
    });
    return lines.sort().join("\n");
  } finally {
    map.close();
  }
}
