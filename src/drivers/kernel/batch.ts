// Batches of BPF map entries, chunk by chunk: goes on where an interrupted one stopped, and says
// how far a refused one came.

import { errnoName, OperationError } from "../../lib/operation-error.ts";

/** How far a batch came; what is behind `done` was not touched. */
export interface BatchResult {
  readonly done: number;
  /** Why it stopped; undefined: it is complete. */
  readonly error: OperationError | undefined;
}

/** Entries per system call: larger ones are not faster and hold up the event loop. */
export const CHUNK_ENTRIES = 1024;
/** Interruptions in a row without progress before a batch gives up. */
const INTERRUPTIONS_MAX = 100;
const INTERRUPTED: ReadonlySet<string> = new Set(["EINTR", "EAGAIN"]);

export interface Batch {
  /** Entries. */
  readonly total: number;
  /** For errors, see OperationError. */
  readonly op: string;
  readonly target: string;
  /**
   * Does entries from `from` up to `to`; 0 or -errno. `count[0]` is their number before, and after
   * it how many of them are done.
   */
  readonly act: (from: number, to: number, count: Uint32Array) => number;
}

/** Does a batch; between chunks the event loop has its turn. */
export async function runBatch({ total, op, target, act }: Batch): Promise<BatchResult> {
  const count = new Uint32Array(1);
  const patience = new Patience();
  let done = 0;
  while (done < total) {
    const to = Math.min(done + CHUNK_ENTRIES, total);
    count[0] = to - done;
    const result = act(done, to, count);
    // A refusal that precedes the work (no permission) leaves the count as it was.
    const progress = result < 0 && count[0] === to - done ? 0 : count[0];
    done += progress;
    if (result < 0 && !patience.allows(result, progress)) {
      return { done, error: new OperationError({ code: errnoName(result), op, target }) };
    }
    if (done < total) await turn();
  }
  return { done, error: undefined };
}

/** How long interrupted batches are continued. */
export class Patience {
  #interruptions = 0;

  /** True if a call that failed with `result` after `progress` entries is worth repeating. */
  allows(result: number, progress: number): boolean {
    this.#interruptions = progress > 0 ? 0 : this.#interruptions + 1;
    return INTERRUPTED.has(errnoName(result)) && this.#interruptions <= INTERRUPTIONS_MAX;
  }
}

/** Lets the event loop do what waits. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
