// Says that something in the kernel's links, addresses, routes or neighbours changed, by listening
// to `ip monitor`. What changed, a fresh list tells (ip-list.ts).

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { OperationError } from "../../lib/operation-error.ts";

export interface MonitorOptions {
  /** Something may have changed; also called once when listening begins, and begins again. */
  onEvent(): void;
  /** It does not listen now and tries again. */
  onError(error: OperationError): void;
}

export interface Monitor {
  /** Ends it; nothing is called afterwards. */
  close(): Promise<void>;
}

const ARGS = ["-o", "monitor", "label", "link", "address", "route", "neigh"];
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** A monitor that lived so long begins with the shortest backoff again. */
const STABLE_MS = 60_000;
const LISTENING_POLL_MS = 5;
const LISTENING_WAIT_MAX_MS = 1_000;
/** Neighbours whose MAC address is remembered; at the limit all are forgotten. */
const NEIGHBOURS_MAX = 65_536;
/** Characters of a line that never ends. */
const LINE_MAX = 65_536;

/** Listens until it is closed; a monitor that dies is started again. */
export function monitorKernel(options: MonitorOptions): Monitor {
  const monitor = new RestartingMonitor(options);
  monitor.start();
  return monitor;
}

class RestartingMonitor implements Monitor {
  readonly #options: MonitorOptions;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoffMs = BACKOFF_MIN_MS;
  #startedAt = 0;
  #ended: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAt = performance.now();
    const child = spawn("ip", ARGS, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    process.once("exit", this.#kill);
    const lines = new MonitorLines();
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (lines.push(text)) this.#event();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = text.trim();
      // It goes on after it lost events (ENOBUFS), with a complaint.
      this.#event();
    });
    let failed: NodeJS.ErrnoException | undefined;
    child.on("error", (error) => (failed = error));
    this.#ended = new Promise((resolve) => {
      child.on("close", (status, signal) => {
        process.off("exit", this.#kill);
        this.#child = undefined;
        if (!this.#closed) this.#fail(failed, complaint || `ended with ${status ?? signal}`);
        resolve();
      });
    });
    this.#awaitListening(child.pid ?? 0, 0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#kill();
    await this.#ended;
  }

  /** What happened between its start and its first ear on the socket is nobody's event. */
  #awaitListening(pid: number, waitedMs: number): void {
    if (this.#child === undefined || this.#closed) return;
    if (isListening(pid) || waitedMs >= LISTENING_WAIT_MAX_MS) return this.#event();
    this.#timer = setTimeout(() => {
      this.#awaitListening(pid, waitedMs + LISTENING_POLL_MS);
    }, LISTENING_POLL_MS);
  }

  #event(): void {
    if (!this.#closed) this.#options.onEvent();
  }

  #fail(cause: NodeJS.ErrnoException | undefined, detail: string): void {
    const code = cause?.code === "ENOENT" ? "MissingTool" : "ToolFailed";
    const op = "ip monitor";
    const target = "the kernel's events";
    const lived = performance.now() - this.#startedAt;
    if (lived > STABLE_MS) this.#backoffMs = BACKOFF_MIN_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MAX_MS);
    const told = cause === undefined ? { detail } : { cause };
    this.#options.onError(new OperationError({ code, op, target, ...told }));
  }

  readonly #kill = (): void => {
    this.#child?.kill("SIGTERM");
  };
}

/** True if the process `pid` has a netlink socket that hears groups (net/netlink/af_netlink.c). */
function isListening(pid: number): boolean {
  try {
    const sockets = readFileSync("/proc/net/netlink", "utf8").split("\n");
    return sockets.some((line) => {
      const [, protocol, port, groups = "0"] = line.split(/\s+/);
      return protocol === "0" && Number(port) === pid && Number.parseInt(groups, 16) !== 0;
    });
  } catch {
    return false;
  }
}

/**
 * Which of the monitor's lines are news. Neighbours are confirmed again and again by those who talk
 * to them; news is only another MAC address.
 */
export class MonitorLines {
  readonly #macs = new Map<string, string>();
  #rest = "";

  /** Takes output in pieces of any size; true if there was news in it. */
  push(text: string): boolean {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, LINE_MAX);
    // No short cut: each line must be noted.
    return lines.filter((line) => this.#isNews(line)).length > 0;
  }

  #isNews(line: string): boolean {
    const match = NEIGHBOUR.exec(line);
    if (match === null) return !line.startsWith("[NEIGH]");
    const [, deleted, key = "", mac = ""] = match;
    // Not among those that `ip neighbour` lists.
    if (line.trimEnd().endsWith("NOARP")) return false;
    // A bridge tells its entries only when they come, move or go.
    if (key.startsWith("dev ")) return true;
    if (this.#macs.size >= NEIGHBOURS_MAX) this.#macs.clear();
    const before = this.#macs.get(key);
    if (deleted !== undefined) this.#macs.delete(key);
    else this.#macs.set(key, mac);
    return deleted !== undefined || before !== mac;
  }
}

/** `[NEIGH]Deleted ADDRESS dev NAME lladdr MAC STATE`; without an address: a bridge's entry. */
const NEIGHBOUR = /^\[NEIGH\](Deleted )?((?:[0-9a-f.:]+ )?dev \S+)(?: lladdr (\S+))?/;
