// Runs a property, and tells a failure so that a person can act on it: seed, reason and story.
//
//   SLUICE_FC_RUNS   how many random cases each property tries, instead of its usual number
//   SLUICE_FC_SEED   repeats the cases of an earlier run

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import fc from "fast-check";

const SEED = Number(process.env["SLUICE_FC_SEED"] ?? Date.now() & 0x7fffffff);
const RUNS = process.env["SLUICE_FC_RUNS"];
/** A failure is made smaller for so long; it is one in any case. */
const SHRINKING_MS = 30_000;

interface CheckOptions<T> {
  /** Unless SLUICE_FC_RUNS says otherwise. */
  readonly runs: number;
  /** Puts a counterexample into words. */
  readonly tell?: (value: T) => string;
}

/** Checks that `holds` throws for no value. */
export function check<T>(
  t: TestContext,
  arbitrary: fc.Arbitrary<T>,
  holds: (value: T) => void,
  options: CheckOptions<T>,
): void {
  const patience = new Patience();
  const property = fc.property(arbitrary, (value) => {
    if (patience.isOver) return;
    try {
      holds(value);
    } catch (error) {
      throw patience.begin(error);
    }
  });
  judge(fc.check(property, parameters(t, options)) as fc.RunDetails<[T]>, options);
}

/** The same for what takes its time. */
export async function checkAsync<T>(
  t: TestContext,
  arbitrary: fc.Arbitrary<T>,
  holds: (value: T) => Promise<void>,
  options: CheckOptions<T>,
): Promise<void> {
  const patience = new Patience();
  const property = fc.asyncProperty(arbitrary, async (value) => {
    if (patience.isOver) return;
    try {
      await holds(value);
    } catch (error) {
      throw patience.begin(error);
    }
  });
  judge(await fc.check(property, parameters(t, options)), options);
}

/** With the first failure the time for making it smaller begins. */
class Patience {
  #until = Number.POSITIVE_INFINITY;

  get isOver(): boolean {
    return Date.now() > this.#until;
  }

  begin(error: unknown): unknown {
    this.#until = Math.min(this.#until, Date.now() + SHRINKING_MS);
    return error;
  }
}

function parameters<T>(t: TestContext, { runs }: CheckOptions<T>): fc.Parameters<[T]> {
  const numRuns = RUNS === undefined ? runs : Number(RUNS);
  t.diagnostic(`seed ${SEED}, ${numRuns} runs`);
  return { seed: SEED, numRuns };
}

function judge<T>(result: fc.RunDetails<[T]>, { tell = fc.stringify }: CheckOptions<T>): void {
  if (!result.failed) return;
  const [value] = result.counterexample ?? [];
  const reason = result.errorInstance instanceof Error ? result.errorInstance.stack : "";
  const text = value === undefined ? "(no case)" : tell(value);
  assert.fail(`SLUICE_FC_SEED=${SEED}, run ${result.numRuns}:\n${reason}\n\n${text}`);
}
