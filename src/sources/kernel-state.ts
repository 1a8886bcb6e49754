// This node's kernel as a source: a fresh list after each burst of events, given when it differs.

import { readKernelState } from "../drivers/kernel/ip-list.ts";
import type { KernelMonitorOptions } from "../drivers/kernel/ip-monitor.ts";
import { monitorKernel } from "../drivers/kernel/ip-monitor.ts";
import { sameValue } from "../lib/equal.ts";
import { OperationError } from "../lib/operation-error.ts";
import type { KernelState } from "../net/kernel-state.ts";
import { keepLearned } from "./learned-neighbours.ts";

export interface KernelWatchOptions {
  /** The whole state, whenever it differs from the last one. */
  onState(state: KernelState): void;
  /** A list or the listening failed; both are tried again. */
  onError(error: OperationError): void;
  /** Told of events that `ip monitor` shows like this, before the list that they cause. */
  readonly heard?: KernelMonitorOptions["heard"];
  /** From an event to the list that it causes; events meanwhile cause no other. */
  readonly debounceMs?: number;
}

export interface KernelWatch {
  /** The first state has been given. */
  readonly synced: Promise<void>;
  /** Nothing is called afterwards. */
  close(): Promise<void>;
}

const DEBOUNCE_MS = 20;
/** A list without an event, in case one was lost. */
const RELIST_MS = 30_000;
/** After a list that failed. */
const RETRY_MS = 1_000;

/** Watches the kernel of this process's network namespace until it is closed. */
export function watchKernel(options: KernelWatchOptions): KernelWatch {
  const lists = new ListLoop(options);
  const { onError, heard } = options;
  // It calls onEvent when it begins to listen, so that nothing is between the list and its events.
  const monitor = monitorKernel({
    ...{ onEvent: () => lists.want(), onError },
    ...(heard === undefined ? {} : { heard }),
  });
  lists.want();
  return {
    synced: lists.synced,
    async close() {
      await Promise.all([monitor.close(), lists.close()]);
    },
  };
}

/** Lists when wanted, one list at a time. */
class ListLoop {
  readonly synced: Promise<void>;
  readonly #options: KernelWatchOptions;
  #setSynced: () => void = () => undefined;
  #state: KernelState | undefined;
  #wanted = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** A large state takes long to list: at most half of the time is spent on it. */
  #tookMs = 0;

  constructor(options: KernelWatchOptions) {
    this.#options = options;
    this.synced = new Promise((resolve) => (this.#setSynced = resolve));
  }

  want(): void {
    // While a list runs, its end sees what is wanted.
    if (this.#wanted || this.#closed) return;
    this.#wanted = true;
    if (this.#running !== undefined) return;
    this.#listIn(Math.max(this.#options.debounceMs ?? DEBOUNCE_MS, this.#tookMs));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #listIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#running = this.#list()), delayMs);
  }

  async #list(): Promise<void> {
    this.#wanted = false;
    const startedAt = performance.now();
    let nextMs = RELIST_MS;
    try {
      this.#take(await readKernelState());
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      nextMs = RETRY_MS;
      if (!this.#closed) this.#options.onError(error);
    }
    this.#tookMs = performance.now() - startedAt;
    this.#running = undefined;
    if (this.#closed) return;
    const debounceMs = this.#options.debounceMs ?? DEBOUNCE_MS;
    this.#listIn(this.#wanted ? Math.max(debounceMs, this.#tookMs) : nextMs);
  }

  #take(listed: KernelState): void {
    if (this.#closed) return;
    const before = this.#state;
    const state = before === undefined ? listed : keepLearned(before, listed);
    if (before !== undefined && sameValue(before, state)) return;
    this.#state = state;
    this.#options.onState(state);
    this.#setSynced();
  }
}
