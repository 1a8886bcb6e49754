// A process of the test cluster, with its log in a file. It ends with the process that started it,
// even if that is killed.

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const LOG_END_CHARACTERS = 4_000;

export class Daemon {
  readonly #command: readonly string[];
  readonly #log: string;
  #child: ChildProcess | undefined;

  constructor(command: readonly string[], log: string) {
    this.#command = command;
    this.#log = log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get runs(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  start(): void {
    const log = openSync(this.#log, "a");
    const args = ["--pdeathsig", "KILL", ...this.#command];
    this.#child = spawn("setpriv", args, { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.runs) this.#child?.kill(signal);
  }

  /** Ends it, by force where it does not end by itself. */
  async stop(signal: NodeJS.Signals, patienceMs = 20_000): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.runs) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    await ended;
    clearTimeout(timer);
  }

  /** Waits until `isReady`; false if it ends before. Throws after `patienceMs`. */
  async waitUntil(isReady: () => Promise<boolean>, patienceMs = 120_000): Promise<boolean> {
    const deadline = performance.now() + patienceMs;
    while (this.runs) {
      if (await isReady()) return true;
      if (performance.now() > deadline) throw new Error(`not ready: ${this.lastWords()}`);
      await sleep(50);
    }
    return false;
  }

  /** The end of its log. */
  lastWords(): string {
    return readFileSync(this.#log, "utf8").slice(-LOG_END_CHARACTERS);
  }
}
