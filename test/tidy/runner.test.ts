// Proves that the test runner can fail: test/run.ts on a tree of good and bad test files.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "./tree.ts";

const FILES = {
  "package.json": '{"type": "module"}',
  "src/good.test.ts": 'import { test } from "node:test"; test("a", () => {});',
  "src/bad.test.ts": 'import { test } from "node:test"; test("b", () => { throw Error("no b"); });',
  "test/kernel/skip.test.ts":
    'import { describe, test } from "node:test"; test("c", { skip: "needs root" }, () => {});\n' +
    'describe("group", { skip: "needs clang" }, () => { test("d", () => {}); });',
  "test/silent.test.ts": 'import { test } from "node:test"; test("e", { skip: true }, () => {});',
  "test/sim/crash.test.ts": 'console.log("seed 42"); throw Error("crash");',
  "test/sim/empty.test.ts": "",
};

describe("the test runner", () => {
  let root = "";
  before(() => {
    root = mkdtempSync(join(tmpdir(), "sluice-runner-"));
    for (const [path, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    copyFileSync(join(ROOT, "test/run.ts"), join(root, "test/run.ts"));
  });
  after(() => rmSync(root, { recursive: true }));

  /** The exit status, all output, and its last line. */
  function runTests(...paths: string[]): { status: number | null; text: string; last: string } {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const options = { cwd: root, env, encoding: "utf8" } as const;
    const { status, stdout } = spawnSync(process.execPath, ["test/run.ts", ...paths], options);
    return { status, text: stdout, last: stdout.trimEnd().split("\n").at(-1) ?? "" };
  }

  test("passes when every test passes, and names the suites that did not run", () => {
    const { status, text, last } = runTests("src/good.test.ts");
    assert.equal(status, 0, text);
    assert.equal(last, "1 passed, 0 failed, 0 skipped");
    assert.match(text, /^kernel +not run: no test files/m);
  });

  test("fails when a test fails, and says where and why", () => {
    const { status, text, last } = runTests("src");
    assert.equal(status, 1);
    assert.equal(last, "1 passed, 1 failed, 0 skipped");
    assert.match(text, /FAIL b\n +src\/bad\.test\.ts:1\n +Error: no b/);
  });

  test("prints the reasons of skips and fails when nothing ran", () => {
    const { status, text, last } = runTests("test/kernel");
    assert.equal(status, 1);
    assert.equal(last, "0 passed, 0 failed, 2 skipped");
    assert.match(text, /skipped 1: needs root/);
    assert.match(text, /skipped 1: needs clang/);
  });

  test("fails on skips without a reason, on crashes and on files without tests", () => {
    const { status, text, last } = runTests("test");
    assert.equal(status, 1);
    assert.equal(last, "0 passed, 3 failed, 2 skipped");
    for (const reason of [/skipped without a reason/, /ended early/, /seed 42/, /has no tests/]) {
      assert.match(text, reason);
    }
  });
});
