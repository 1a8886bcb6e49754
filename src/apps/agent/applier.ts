// Brings what should be to the kernel: one loop, the newest state wins, every step may be repeated.
// The order of the steps is the point, see datapath.ts. Addresses that change hands are handed to
// every run until one has come to its end: nothing to forget is lost (rule 8.10).

import { OperationError } from "../../lib/operation-error.ts";
import type { Address } from "../../net/address.ts";
import type { KernelState } from "../../net/kernel-state.ts";
import type { Row } from "../../plan/row.ts";
import type { NodeDatapath } from "../../reconcile/datapath.ts";

export interface Desired {
  /** Undefined: this node's datapath is not ours, or not known yet; only rows are written. */
  readonly datapath: NodeDatapath | undefined;
  readonly rows: readonly Row[];
  readonly kernel: KernelState;
  /** All sources are synced: what nobody wants may go. */
  readonly prune: boolean;
  /** When the first change came that is not in the kernel yet; undefined: nothing changed. */
  readonly sinceMs?: number | undefined;
}

/** One step of bringing a state to the kernel; throws OperationError. */
export interface Step {
  /** As the status and failures name it. */
  readonly name: string;
  /** `passed`: addresses that passed from one endpoint to another. */
  act(desired: Desired, passed: readonly Address[]): Promise<void>;
}

export interface ApplierOptions {
  readonly steps: readonly Step[];
  /** Told after every step, and after every run; a failed run is repeated by itself. */
  readonly onStep?: (name: string) => void;
  readonly onRun: (failure: { step: string; error: OperationError } | undefined) => void;
  /** Told how long a change took to be in the kernel, in milliseconds. */
  readonly onApplied?: (tookMs: number) => void;
}

const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5_000;

export class Applier {
  readonly #options: ApplierOptions;
  #next: Desired | undefined;
  /** Those that no run has begun with, and those of the run that is under way. */
  #passed = new Set<Address>();
  #passing: ReadonlySet<Address> = new Set();
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  #closed = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** Takes a newer state; an older one that has not begun is skipped, but not what has passed. */
  submit(desired: Desired, passed: readonly Address[]): void {
    if (this.#closed) return;
    this.#next = withEarlier(desired, this.#next);
    for (const address of passed) this.#passed.add(address);
    clearTimeout(this.#retry);
    this.#start();
  }

  /** True while an address has passed and no run since then has come to its end. */
  isPassing(address: Address): boolean {
    return this.#passed.has(address) || this.#passing.has(address);
  }

  /** Ends after the run that is under way; gives the addresses that are still passing. */
  async close(): Promise<readonly Address[]> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#running;
    return [...this.#passed];
  }

  /** A state may come after the loop's last look and before its end: then it begins anew. */
  #start(): void {
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined;
      if (this.#next !== undefined && !this.#closed) this.#start();
    });
  }

  async #loop(): Promise<void> {
    while (this.#next !== undefined && !this.#closed) {
      const desired = this.#next;
      this.#next = undefined;
      const failure = await this.#run(desired);
      this.#options.onRun(failure);
      if (failure !== undefined) {
        this.#again(desired);
        continue;
      }
      this.#retryMs = RETRY_FIRST_MS;
      const { sinceMs } = desired;
      if (sinceMs !== undefined) this.#options.onApplied?.(performance.now() - sinceMs);
    }
  }

  async #run(desired: Desired): Promise<{ step: string; error: OperationError } | undefined> {
    // What passes again meanwhile is for the next run.
    this.#passing = this.#passed;
    this.#passed = new Set();
    const passed = [...this.#passing];
    let step = "";
    try {
      for (const { name, act } of this.#options.steps) {
        step = name;
        await act(desired, passed);
        this.#options.onStep?.(step);
      }
      return undefined;
    } catch (error) {
      for (const address of passed) this.#passed.add(address);
      if (error instanceof OperationError) return { step, error };
      throw error;
    } finally {
      this.#passing = new Set();
    }
  }

  #again(desired: Desired): void {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(2 * delayMs, RETRY_LAST_MS);
    this.#retry = setTimeout(() => {
      this.submit(this.#next === undefined ? desired : withEarlier(this.#next, desired), []);
    }, delayMs);
  }
}

/** `desired`, for which changes have waited as long as for the one that it replaces. */
function withEarlier(desired: Desired, replaced: Desired | undefined): Desired {
  const sinceMs = Math.min(desired.sinceMs ?? Infinity, replaced?.sinceMs ?? Infinity);
  return Number.isFinite(sinceMs) ? { ...desired, sinceMs } : desired;
}
