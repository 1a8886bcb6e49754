// Proves how batches go on and stop, on a scripted kernel: the real one cannot be made to interrupt
// them.

import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { runBatch } from "./batch.ts";

type Answer = readonly [result: "done" | keyof typeof constants.errno, count: number];

/** Runs `total` entries against the answers, the last of which is repeated. */
async function play(total: number, answers: readonly Answer[]) {
  const asked: [number, number][] = [];
  const { done, error } = await runBatch({
    total,
    op: "op",
    target: "map",
    act(from, to, count) {
      const [result, progress] = answers[Math.min(asked.length, answers.length - 1)] as Answer;
      asked.push([from, to]);
      count[0] = progress;
      return result === "done" ? 0 : -constants.errno[result];
    },
  });
  return { asked, done, code: error?.code };
}

test("a batch goes chunk by chunk", async () => {
  const { asked, ...end } = await play(2500, [["done", 1024], ["done", 1024], ["done", 452]]);
  assert.deepEqual(asked, [[0, 1024], [1024, 2048], [2048, 2500]]);
  assert.deepEqual(end, { done: 2500, code: undefined });
});

test("an interrupted batch goes on behind what is done", async () => {
  const answers: Answer[] = [["EINTR", 3], ["EAGAIN", 0], ["EAGAIN", 94], ["done", 3]];
  const { asked, ...end } = await play(100, answers);
  assert.deepEqual(asked, [[0, 100], [3, 100], [3, 100], [97, 100]]);
  assert.deepEqual(end, { done: 100, code: undefined });
});

test("a batch that is interrupted for ever gives up", async () => {
  const { asked, ...end } = await play(10, [["EINTR", 0]]);
  assert.equal(asked.length, 101);
  assert.deepEqual(end, { done: 0, code: "EINTR" });
});

test("a refused batch says how far it came", async () => {
  const { done, code } = await play(2000, [["done", 1024], ["ENOSPC", 476]]);
  assert.deepEqual([done, code], [1500, "ENOSPC"]);
});

test("a call that is refused as a whole has done nothing, whatever its count says", async () => {
  const { done, code } = await play(10, [["EPERM", 10]]);
  assert.deepEqual([done, code], [0, "EPERM"]);
});
