// The same objects, told in another order, repeated, together or one by one, with restarts or
// without, lead to the same rows, assignments, conditions and issues.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fnv1a32 } from "../../src/lib/hash.ts";
import type { Turn } from "../scenario/expand.ts";
import { live, RETELLINGS, versionsOf } from "../scenario/expand.ts";
import { check } from "./check.ts";
import { history, tellHistory, turnsOf } from "./history.ts";

/** The objects in an order that `seed` decides; the versions of one object keep theirs. */
function shuffled(turn: Turn, seed: number): Turn {
  return [...versionsOf(turn)]
    .sort(([a], [b]) => fnv1a32(a + seed) - fnv1a32(b + seed))
    .flatMap(([, changes]) => changes);
}

const retelling = fc.record({
  name: fc.constantFrom(...Object.keys(RETELLINGS)),
  seed: fc.nat(),
  restarts: fc.boolean(),
});

test("ends the same however a history is told [2.3, 3.1, 3.6, 5.8, 7.3]", (t) => {
  check(
    t,
    fc.record({ told: history, how: retelling }),
    ({ told, how: { name, seed, restarts } }) => {
      const turns = turnsOf(told);
      const again = RETELLINGS[name]?.(turns).map((turn) => shuffled(turn, seed)) ?? [];
      const expected = live(turns, told.options, { restarts: false });
      const actual = live(again, told.options, { restarts });
      assert.deepEqual(actual.state(), expected.state());
    },
    { runs: 300, tell: ({ told, how }) => `${JSON.stringify(how)}\n\n${tellHistory(told)}` },
  );
});
