// Writes values by key, one request at a time: the newest value of a key wins, and a key is written
// at most once per interval, however often its value changes. A storm of changes is no storm of
// writes. What fails is tried again, later each time.

import { OperationError } from "../../lib/operation-error.ts";

export interface CoalescedWriterOptions<V> {
  /** Throws OperationError for what may succeed later. */
  write(key: string, value: V): Promise<void>;
  /** Between two writes of one key. */
  readonly intervalMs: number;
  onError?(key: string, error: OperationError): void;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

interface Entry<V> {
  /** Not written yet; undefined: nothing is to be written. */
  pending: { readonly value: V } | undefined;
  /** By performance.now(); not before. */
  dueMs: number;
  failures: number;
}

export class CoalescedWriter<V> {
  readonly #options: CoalescedWriterOptions<V>;
  readonly #entries = new Map<string, Entry<V>>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Requests that succeeded. */
  writes = 0;

  constructor(options: CoalescedWriterOptions<V>) {
    this.#options = options;
  }

  /** Takes the newest value of a key. */
  submit(key: string, value: V): void {
    const entry = this.#entries.get(key) ?? { pending: undefined, dueMs: 0, failures: 0 };
    this.#entries.set(key, entry);
    entry.pending = { value };
    this.#start();
  }

  /** What is still to be written of a key is not written any more. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** Ends after the request that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #start(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined;
      this.#wait();
    });
  }

  async #loop(): Promise<void> {
    for (let next = this.#due(); next !== undefined && !this.#closed; next = this.#due()) {
      await this.#write(...next);
    }
  }

  async #write(key: string, entry: Entry<V>): Promise<void> {
    const { pending } = entry;
    if (pending === undefined) return;
    entry.pending = undefined;
    try {
      await this.#options.write(key, pending.value);
      this.writes++;
      entry.failures = 0;
      entry.dueMs = performance.now() + this.#options.intervalMs;
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      entry.pending ??= pending;
      const delayMs = Math.min(RETRY_FIRST_MS * 2 ** entry.failures, RETRY_MAX_MS);
      entry.failures++;
      entry.dueMs = performance.now() + Math.max(delayMs, this.#options.intervalMs);
      this.#options.onError?.(key, error);
    }
  }

  #due(): [string, Entry<V>] | undefined {
    const now = performance.now();
    for (const [key, entry] of this.#entries) {
      if (entry.pending !== undefined && entry.dueMs <= now) return [key, entry];
    }
    return undefined;
  }

  #wait(): void {
    const waiting = [...this.#entries.values()].filter(({ pending }) => pending !== undefined);
    if (waiting.length === 0 || this.#closed) return;
    const dueMs = Math.min(...waiting.map((entry) => entry.dueMs));
    this.#timer = setTimeout(() => this.#start(), Math.max(1, dueMs - performance.now()));
  }
}
