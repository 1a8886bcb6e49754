// Completions: in a real bash as its completion calls them; the scripts of zsh and fish in those
// shells where they are installed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { inShell, sluice } from "../support/run-cli.ts";

const SCRIPTS = Object.fromEntries(
  ["bash", "zsh", "fish"].map((shell) => [shell, sluice(["completion", shell]).stdout]),
);

/** What bash proposes for the last of `words`, as it splits them (at `=` too). */
function proposed(...words: string[]): string[] {
  const script = `
    ${SCRIPTS["bash"]}
    compopt() { echo "compopt $*"; }  # outside of a completion the real one is an error
    COMP_WORDS=(sluice ${words.map((word) => `'${word}'`).join(" ")})
    COMP_CWORD=${words.length}
    _sluice
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const { exit, stdout, stderr } = inShell("bash", script);
  assert.deepEqual([exit, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

function missing(shell: string): string | false {
  const found = spawnSync(shell, ["--version"]).error === undefined;
  return found ? false : `${shell} is not installed`;
}

describe("completion in bash", () => {
  test("proposes commands, then options, then values", () => {
    assert.deepEqual(proposed(""), [
      ...COMMANDS.map(({ name }) => name),
      "help",
      "--help",
      "--version",
    ]);
    assert.deepEqual(proposed("pl"), ["plan"]);
    assert.deepEqual(proposed("help", "val"), ["validate"]);
    assert.deepEqual(proposed("plan", "--di"), ["--distribution"]);
    assert.deepEqual(proposed("plan", "-o", ""), ["table", "wide", "json", "yaml"]);
    assert.deepEqual(proposed("plan", "-f", "x", "--output", "j"), ["json"]);
    assert.deepEqual(proposed("completion", ""), ["bash", "zsh", "fish", "--help"]);
  });

  test("understands --option=value, which bash splits at the equals sign", () => {
    assert.deepEqual(proposed("plan", "--rows", "="), ["needed", "all"]);
    assert.deepEqual(proposed("plan", "--rows", "=", "a"), ["all"]);
  });

  test("leaves file names to bash, and proposes nothing for free values", () => {
    for (const words of [["plan", "-f", ""], ["plan", "--file", "="], ["diff", "--from", "ex"]]) {
      assert.deepEqual(proposed(...words), ["compopt -o default"]);
    }
    assert.deepEqual(proposed("plan", "--node", ""), []);
  });
});

describe("completion in other shells", () => {
  test("names every command and every option in each script", () => {
    for (const { name, options } of COMMANDS) {
      for (const option of options) {
        assert.match(SCRIPTS["zsh"] ?? "", new RegExp(`--${option.name}\\b`));
        const line = new RegExp(`seen_subcommand_from ${name}' -l ${option.name} `);
        assert.match(SCRIPTS["fish"] ?? "", line);
      }
      assert.match(SCRIPTS["zsh"] ?? "", new RegExp(`^ +${name}\\)$`, "m"));
    }
  });

  for (const shell of ["zsh", "fish"]) {
    test(`is understood by ${shell}`, { skip: missing(shell) }, () => {
      const { status, stderr } = spawnSync(shell, ["--no-execute"], {
        input: SCRIPTS[shell] ?? "",
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [0, ""]);
    });
  }
});
