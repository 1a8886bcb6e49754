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

/** `runs` unless SLUICE_FC_RUNS says otherwise; `tell` puts a counterexample into words. */
export function check<T>(
  t: TestContext,
  arbitrary: fc.Arbitrary<T>,
  holds: (value: T) => void,
  { runs, tell = fc.stringify }: { runs: number; tell?: (value: T) => string },
): void {
  const numRuns = RUNS === undefined ? runs : Number(RUNS);
  t.diagnostic(`seed ${SEED}, ${numRuns} runs`);
  let shrinksUntil = Number.POSITIVE_INFINITY;
  const property = fc.property(arbitrary, (value) => {
    if (Date.now() > shrinksUntil) return;
    try {
      holds(value);
    } catch (error) {
      shrinksUntil = Math.min(shrinksUntil, Date.now() + SHRINKING_MS);
      throw error;
    }
  });
  const result = fc.check(property, { seed: SEED, numRuns });
  if (!result.failed) return;
  const [value] = result.counterexample ?? [];
  const reason = result.errorInstance instanceof Error ? result.errorInstance.stack : "";
  const text = value === undefined ? "(no case)" : tell(value);
  assert.fail(`SLUICE_FC_SEED=${SEED}, run ${result.numRuns}:\n${reason}\n\n${text}`);
}
