// bin/sluice: from any folder, through links, on the package's Node or on an older one.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { EXAMPLE, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";

const LAUNCHER = join(ROOT, "bin/sluice");
const built = existsSync(LAUNCHER) && existsSync(join(ROOT, "dist/cli/main.js"));
const skip = built ? false : "not built: run make build";

function launch(file: string, words: readonly string[], path: string, cwd = ROOT) {
  const { status, stdout, stderr } = spawnSync(file, words, {
    cwd,
    encoding: "utf8",
    env: { PATH: path, LANG: "C.UTF-8" },
  });
  return { exit: status, stdout, stderr };
}

/** The package as built, without a Node of its own. */
function packageWithoutNode(t: TestContext): string {
  const folder = temporaryFolder(t);
  for (const part of ["bin", "dist", "package.json"]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  for (const name of ["js-yaml", "argparse"]) {
    const source = join(ROOT, "node_modules", name);
    cpSync(source, join(folder, "node_modules", name), { recursive: true });
  }
  return join(folder, "bin/sluice");
}

/** A folder for PATH whose `node` only says its version. */
function oldNode(t: TestContext, version: string): string {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "node"), `#!/bin/sh\necho ${version}\n`);
  chmodSync(join(folder, "node"), 0o755);
  return folder;
}

const SYSTEM = "/usr/bin:/bin";

describe("bin/sluice", { skip }, () => {
  test("says what the source says, for every command", () => {
    const path = process.env["PATH"] ?? SYSTEM;
    for (const words of [
      ["--version"],
      ["plan", ...EXAMPLE, "--node", "gateway-1", "-o", "json"],
      ["explain", ...EXAMPLE, "cart-0"],
      ["validate", ...EXAMPLE],
      ["diff", "--from", "examples/cluster", "--to", "examples/grown"],
    ]) {
      assert.deepEqual(launch(LAUNCHER, words, path), sluice(words), words.join(" "));
    }
  });

  test("runs from any folder and through links to links", (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "bin"));
    symlinkSync(LAUNCHER, join(folder, "bin/first"));
    symlinkSync("first", join(folder, "bin/sluice"));
    const path = `${join(folder, "bin")}:${SYSTEM}`;
    const { exit, stdout } = launch("sluice", ["--version"], path, folder);
    assert.deepEqual([exit, stdout], [0, sluice(["--version"]).stdout]);
  });

  test("falls back to the Node in PATH, and refuses one that is too old", (t) => {
    const file = packageWithoutNode(t);
    const node = temporaryFolder(t);
    symlinkSync(process.execPath, join(node, "node"));
    const plan = launch(file, ["plan", ...EXAMPLE], `${node}:${SYSTEM}`);
    assert.deepEqual(plan, sluice(["plan", ...EXAMPLE]));
    for (const version of ["v18.20.1", "v20.11.1"]) {
      const { exit, stdout, stderr } = launch(file, [], `${oldNode(t, version)}:${SYSTEM}`);
      assert.deepEqual([exit, stdout], [2, ""]);
      assert.match(stderr, /Node 20\.12 or newer/);
    }
    // The control: a version that is new enough is run (this one only says its version).
    const { exit } = launch(file, [], `${oldNode(t, "v20.12.0")}:${SYSTEM}`);
    assert.equal(exit, 0);
  });

  const old = spawnSync("/usr/bin/node", ["--version"], { encoding: "utf8" }).stdout ?? "";
  const noOld = old.startsWith("v20.") || old.startsWith("v22.") ? false : "no older Node here";
  test("works on the machine's older Node", { skip: noOld }, (t) => {
    const file = packageWithoutNode(t);
    for (const words of [
      ["plan", ...EXAMPLE, "--node", "gateway-1", "-o", "yaml"],
      ["explain", ...EXAMPLE, "cart-0", "203.0.113.10"],
      ["validate", ...EXAMPLE],
      ["diff", "--from", "examples/cluster", "--to", "examples/grown"],
    ]) {
      assert.deepEqual(launch(file, words, SYSTEM), sluice(words), words.join(" "));
    }
  });
});
