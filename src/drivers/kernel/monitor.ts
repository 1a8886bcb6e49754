// Listens to a tool that prints the kernel's events, and starts it again when it dies. What the
// lines mean is its callers' business: ip-monitor.ts, nft-monitor.ts.

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

/** A tool that prints events. */
export interface MonitorTool {
  readonly tool: string;
  readonly args: readonly string[];
  /** The netlink protocol that it listens to (linux/netlink.h). */
  readonly netlinkProtocol: number;
  /** Takes output in pieces of any size; true if there was news in it. */
  readonly isNews: (text: string) => boolean;
}

const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** A monitor that lived so long begins with the shortest backoff again. */
const STABLE_MS = 60_000;
const LISTENING_POLL_MS = 5;
const LISTENING_WAIT_MAX_MS = 1_000;
/** Characters of a line that never ends. */
const LINE_MAX = 65_536;

/** Listens until it is closed; a monitor that dies is started again. */
export function runMonitor(makeTool: () => MonitorTool, options: MonitorOptions): Monitor {
  const monitor = new RestartingMonitor(makeTool, options);
  monitor.start();
  return monitor;
}

class RestartingMonitor implements Monitor {
  readonly #makeTool: () => MonitorTool;
  readonly #options: MonitorOptions;
  #tool: MonitorTool;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #backoffMs = BACKOFF_MIN_MS;
  #startedAt = 0;
  #ended: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(makeTool: () => MonitorTool, options: MonitorOptions) {
    this.#makeTool = makeTool;
    this.#options = options;
    this.#tool = makeTool();
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#tool = this.#makeTool();
    const { tool, args, isNews } = this.#tool;
    const child = spawn(tool, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    process.once("exit", this.#kill);
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (isNews(text)) this.#event();
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
    const heard = isListening(pid, this.#tool.netlinkProtocol);
    if (heard || waitedMs >= LISTENING_WAIT_MAX_MS) return this.#event();
    this.#timer = setTimeout(() => {
      this.#awaitListening(pid, waitedMs + LISTENING_POLL_MS);
    }, LISTENING_POLL_MS);
  }

  #event(): void {
    if (!this.#closed) this.#options.onEvent();
  }

  #fail(cause: NodeJS.ErrnoException | undefined, detail: string): void {
    const code = cause?.code === "ENOENT" ? "MissingTool" : "ToolFailed";
    const op = `${this.#tool.tool} monitor`;
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

/** True if the process has a netlink socket that hears groups (net/netlink/af_netlink.c). */
function isListening(pid: number, netlinkProtocol: number): boolean {
  try {
    const sockets = readFileSync("/proc/net/netlink", "utf8").split("\n");
    return sockets.some((line) => {
      const [, protocol, port, groups = "0"] = line.split(/\s+/);
      if (Number(protocol) !== netlinkProtocol || Number(port) !== pid) return false;
      return Number.parseInt(groups, 16) !== 0;
    });
  } catch {
    return false;
  }
}

/** Cuts output into whole lines. */
export class LineCutter {
  #rest = "";

  /** The lines that `text` completes. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, LINE_MAX);
    return lines;
  }
}
