// How an agent fared since it began: its steps, its failures, how long changes took.

import type { HistogramCounts } from "../../lib/histogram.ts";
import { Histogram } from "../../lib/histogram.ts";
import type { OperationError } from "../../lib/operation-error.ts";

/** Why the last run did not come to its end. */
export interface Failure {
  readonly step: string;
  readonly error: OperationError;
}

/** How a step fared since the agent began. */
export interface StepRecord {
  readonly errors: number;
  /** Undefined: the last time all went well. */
  readonly lastError: OperationError | undefined;
}

/** Bounds of the histogram of how long changes take, in seconds. */
const TOOK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Journal {
  readonly #steps = new Map<string, StepRecord>();
  readonly #took = new Histogram(TOOK_SECONDS);
  #failure: Failure | undefined;
  #ran = false;
  #turns = 0;
  #turnMs = 0;

  /** The kernel has what should be. */
  get ready(): boolean {
    return this.#ran && this.#failure === undefined;
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** By name, in the order of their first mention. */
  get steps(): ReadonlyMap<string, StepRecord> {
    return this.#steps;
  }

  get turns(): number {
    return this.#turns;
  }

  /** How long the last turn took. */
  get turnMs(): number {
    return this.#turnMs;
  }

  /** How long changes of objects took to be in the kernel. */
  tookSeconds(): HistogramCounts {
    return this.#took.counts();
  }

  noteTurn(tookMs: number): void {
    this.#turns++;
    this.#turnMs = tookMs;
  }

  noteStep(name: string): void {
    const { errors = 0 } = this.#steps.get(name) ?? {};
    this.#steps.set(name, { errors, lastError: undefined });
  }

  /** A run came to its end; true if none had since the start or the last failure. */
  noteRun(): boolean {
    const isNews = !this.ready;
    this.#ran = true;
    this.#failure = undefined;
    return isNews;
  }

  noteApplied(tookMs: number): void {
    this.#took.add(tookMs / 1000);
  }

  /** True if it is another failure than the one before. */
  noteFailure(step: string, error: OperationError): boolean {
    const before = this.#failure;
    this.#failure = { step, error };
    this.#steps.set(step, { errors: (this.#steps.get(step)?.errors ?? 0) + 1, lastError: error });
    return before?.step !== step || before.error.message !== error.message;
  }
}
