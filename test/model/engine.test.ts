// The incremental engine against the naive reference, over random histories of every kind of
// change. World (test/scenario/world.ts) checks every turn: rows and assignments, the differences,
// and the work.

import { test } from "node:test";
import { live } from "../scenario/expand.ts";
import { check } from "./check.ts";
import { history, tellHistory, turnsOf } from "./history.ts";

test("says what the reference says after every turn, and no more than changed [3.7, 7.3]", (t) => {
  check(t, history, (one) => void live(turnsOf(one), one.options, { restarts: false }), {
    runs: 800,
    tell: tellHistory,
  });
});
