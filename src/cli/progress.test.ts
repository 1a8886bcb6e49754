import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Progress } from "./progress.ts";

function watch(watched: boolean) {
  const clock = { ms: 0 };
  const told: string[] = [];
  const terminal = { watched, tell: (text: string) => void told.push(text) };
  return { clock, told, progress: new Progress(terminal, () => clock.ms) };
}

describe("progress", () => {
  test("says nothing about quick work", () => {
    const { clock, told, progress } = watch(true);
    progress.update("a");
    clock.ms = 499;
    progress.update("b");
    progress.done();
    assert.deepEqual(told, []);
  });

  test("overwrites its line at a readable pace and removes it at the end", () => {
    const { clock, told, progress } = watch(true);
    for (clock.ms = 0; clock.ms <= 700; clock.ms += 10) progress.update(`${clock.ms}`);
    progress.done();
    assert.deepEqual(told, ["500", "600", "700", ""].map((text) => `\r\x1b[2K${text}`));
  });

  test("goes on at once after others have written", () => {
    const { clock, told, progress } = watch(true);
    clock.ms = 600;
    progress.update("reading");
    clock.ms = 601;
    progress.done();
    progress.update("planning");
    assert.deepEqual(told.slice(1), ["\r\x1b[2K", "\r\x1b[2Kplanning"]);
  });

  test("says nothing where nobody watches", () => {
    const { clock, told, progress } = watch(false);
    clock.ms = 10_000;
    progress.update("a");
    progress.done();
    assert.deepEqual(told, []);
  });
});
