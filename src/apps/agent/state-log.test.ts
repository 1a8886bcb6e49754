// Proves that values come back in order, and that what cannot be added to must be replaced first.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { OperationError } from "../../lib/operation-error.ts";
import { StateLog } from "./state-log.ts";

test("values come back in order, those of a line that was cut short excepted", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "deep/state.jsonl");
  const log = new StateLog(path);
  assert.deepEqual(log.read(), []);
  assert.equal(log.lines, undefined, "there is no file to add to");
  log.replace([1]);
  log.append([["a\n"], 3]);
  assert.equal(log.lines, 3);
  const next = new StateLog(path);
  assert.deepEqual(next.read(), [1, ["a\n"], 3]);
  assert.equal(next.lines, 3);
  appendFileSync(path, "[4");
  const last = new StateLog(path);
  assert.deepEqual(last.read(), [1, ["a\n"], 3]);
  assert.equal(last.lines, undefined);
});

test("what cannot be written is an OperationError, and the file is not added to again", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const log = new StateLog(join(folder, "no-folder/state.jsonl"));
  log.replace([]);
  rmSync(join(folder, "no-folder"), { recursive: true });
  writeFileSync(join(folder, "no-folder"), "");
  assert.throws(() => log.append([1]), OperationError);
  assert.equal(log.lines, undefined);
  assert.throws(() => log.replace([1]), OperationError);
});
