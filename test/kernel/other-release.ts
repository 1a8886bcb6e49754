// Another release of Sluice: this one's sources in a folder of their own, a little changed, with
// programs that are compiled from them as ours are.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT, temporaryFolder } from "../support/run-cli.ts";

const FILES = ["src", "bpf", "Makefile", "package.json", "package-lock.json"];

/** The release after this one: its programs count one reason more, and do one thing else. */
const CHANGES: readonly (readonly [file: string, from: string, to: string])[] = [
  ["bpf/sluice.h", "\tREASONS,\n", "\tREASON_REHEARSED,\n\tREASONS,\n"],
  ["bpf/sluice.bpf.c", ".tunnel_ttl = 64", ".tunnel_ttl = 63"],
  ["bpf/sluice.bpf.c", "go_on(REASON_SENT_REQUEST)", "go_on(REASON_REHEARSED)"],
  [
    "src/plan/reason.ts",
    `  {\n    name: "NoGateway",`,
    `  { name: "Rehearsed", counter: "program", drop: false, meaning: "", remedy: "" },
  {\n    name: "NoGateway",`,
  ],
];

/** The command line of another release, as a file for node. */
export function makeOtherRelease(t: TestContext): string {
  const folder = temporaryFolder(t);
  for (const file of FILES) cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [file, from, to] of CHANGES) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(from), `${file} has: ${from}`);
    writeFileSync(path, text.replace(from, to));
  }
  const made = spawnSync("make", ["dist/sluice.bpf.o"], { cwd: folder, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr + made.stdout);
  return join(folder, "src/cli/main.ts");
}
