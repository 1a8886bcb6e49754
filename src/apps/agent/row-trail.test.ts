import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RowTrail } from "./row-trail.ts";
import { Timers } from "./timers.ts";

function trail() {
  const lines: string[] = [];
  const timers = new Timers();
  const log = (message: string, fields: Readonly<Record<string, string>>) => {
    lines.push([message, ...Object.values(fields)].join(" "));
  };
  return { lines, timers, trail: new RowTrail(log, timers) };
}

const none = { written: 0, deleted: 0, repaired: 0 };

describe("the trail of rows", () => {
  test("tells a change at once, and those of the next second in one line", async (t) => {
    const { lines, timers, trail: it } = trail();
    t.after(() => timers.close());
    it.notePolicies(["b", "a"]);
    it.noteRows({ ...none, written: 3 });
    assert.deepEqual(lines.splice(0), ["rows 3 0 a b"]);
    for (let i = 0; i < 100; i++) it.noteRows({ ...none, written: 1, deleted: 2 });
    assert.deepEqual(lines, []);
    await sleep(1_100);
    assert.deepEqual(lines.splice(0), ["rows 100 200"]);
  });

  test("says nothing of runs that changed nothing, and repairs by themselves", () => {
    const { lines, trail: it } = trail();
    it.noteRows(none);
    assert.deepEqual(lines, []);
    it.noteRows({ ...none, written: 2, repaired: 2 });
    assert.deepEqual(lines, ["repaired 2 somebody else removed or changed them"]);
  });

  test("names policies without rows here, and ten at most", () => {
    const { lines, trail: it } = trail();
    it.notePolicies(Array.from({ length: 12 }, (_, i) => `p${10 + i}`));
    it.noteRows(none);
    assert.match(lines.join(), /^rows 0 0 p10 .* p19 and 2 more$/);
  });
});
