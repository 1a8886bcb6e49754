// An agent of a node as a process, with `--datapath none`: a source of objects on one side, the
// kernel's policy maps on the other.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LAME_DUCK_MS } from "../../src/reconcile/lame-ducks.ts";
import { MAIN, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";

/** A gateway's rows stay for a while after their policy went (rule 8.6). */
const PATIENCE_MS = LAME_DUCK_MS + 60_000;

export interface MapsAgentOptions {
  /** A BPF file system. */
  readonly bpffs: string;
  readonly node: string;
  /** Where its objects come from, as options of the command. */
  readonly source: readonly string[];
  /** Where probes are answered; any port by default. */
  readonly metricsListen?: string;
}

export class MapsAgent {
  readonly state: string;
  readonly maps: string;
  readonly #options: MapsAgentOptions;
  #agent: ChildProcess | undefined;
  #log = "";

  constructor(t: TestContext, options: MapsAgentOptions) {
    this.#options = options;
    this.state = join(temporaryFolder(t), "state");
    this.maps = join(options.bpffs, `maps-${process.hrtime.bigint()}`);
    mkdirSync(this.maps);
    // Runs before the folder is removed: tests undo in reverse.
    t.after(() => this.end("SIGKILL"));
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#agent?.pid;
  }

  start(...options: string[]): void {
    const { bpffs, node, source, metricsListen = "127.0.0.1:0" } = this.#options;
    const words = ["agent", "--datapath", "none", ...source, "--node", node];
    const places = ["--map-dir", this.maps, "--bpf-dir", bpffs, "--state-dir", this.state];
    const listen = ["--status-listen", "127.0.0.1:0", "--metrics-listen", metricsListen];
    const all = [MAIN, ...words, ...places, ...listen, ...options];
    const agent = spawn(process.execPath, all, { cwd: ROOT });
    agent.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    this.#agent = agent;
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined) return null;
    const ended = new Promise<number | null>((resolve) => agent.once("close", resolve));
    agent.kill(signal);
    return ended;
  }

  /** Waits until it ends by itself; gives its exit status. */
  async ended(): Promise<number | null> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined || agent.exitCode !== null) return agent?.exitCode ?? null;
    return new Promise((resolve) => agent.once("close", resolve));
  }

  /** The entries as `sluice map list` shows them. */
  rows(): string[] {
    const { stdout } = sluice(["map", "list", "--map-dir", this.maps, "-o", "json"]);
    if (stdout === "") return [];
    return (JSON.parse(stdout) as { rows: MapRow[] }).rows.map(renderRow);
  }

  /** Waits until the maps are as wanted. */
  async until(what: string, wanted: (rows: readonly string[]) => boolean): Promise<string[]> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const rows = this.rows();
      if (wanted(rows)) return rows;
      if (performance.now() > deadline) {
        assert.fail(`${what}: never came;\n${rows.join("\n")}\n${this.#log}`);
      }
      await sleep(100);
    }
  }
}

interface MapRow {
  readonly source: string;
  readonly destination: string;
  readonly gatewayIP: string;
}

function renderRow({ source, destination, gatewayIP }: MapRow): string {
  return `${source} ${destination} ${gatewayIP}`;
}

/** What the plan of the command line says that a node's maps should hold. */
export function plannedRows(node: string, ...options: string[]): string[] {
  const { stdout } = sluice(["plan", "--node", node, "-o", "json", ...options]);
  return (JSON.parse(stdout) as { rows: MapRow[] }).rows.map(renderRow);
}

/** True for the same rows in the same order. */
export const same = (wanted: readonly string[]) => (rows: readonly string[]) =>
  rows.length === wanted.length && rows.every((row, i) => row === wanted[i]);
