// Completions in the real shells: bash as its completion calls them, fish by its own query, zsh in
// a terminal. What is not installed is skipped.

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

const ENCODED = { encoding: "utf8" } as const;

/** Types a line and a tab into an interactive zsh, and prints what its terminal then shows. */
const ZSH_TERMINAL = `
  zmodload zsh/zpty
  zpty inner 'PS1= TERM=dumb zsh -f -i'
  zpty -w inner 'autoload -Uz compinit; compinit -u -D; eval "$SCRIPT"; print -r RE""ADY'
  zpty -r -m inner line '*READY*'
  zpty -w -n inner "sluice $1"$'\\t'
  sleep 1
  zpty -w -n inner ' # end'
  zpty -r -m inner line '*end*'
  print -r -- "$line"
`;

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

  test("proposes commands, options and values in fish", { skip: missing("fish") }, () => {
    const fish = (line: string) => {
      const script = `${SCRIPTS["fish"]}\ncomplete -C '${line}'`;
      const { status, stdout, stderr } = spawnSync("fish", ["--no-config", "-c", script], ENCODED);
      assert.deepEqual([status, stderr], [0, ""]);
      return stdout.split("\n").map((proposal) => proposal.split("\t")[0]);
    };
    assert.deepEqual(fish("sluice pl"), ["plan", ""]);
    assert.deepEqual(fish("sluice plan --di"), ["--distribution", ""]);
    assert.deepEqual(fish("sluice plan -o "), ["json", "table", "wide", "yaml", ""]);
  });

  test("completes in a terminal with zsh", { skip: missing("zsh") }, () => {
    for (const [typed, completed] of [
      ["vali", "sluice validate"],
      ["plan --di", "--distribution"],
      ["plan -o wi", "-o wide"],
    ]) {
      const { stdout } = spawnSync("zsh", ["-f", "-c", ZSH_TERMINAL, "zsh", typed ?? ""], {
        ...ENCODED,
        env: { ...process.env, SCRIPT: SCRIPTS["zsh"] },
        timeout: 30_000,
      });
      assert.ok(stdout.includes(completed ?? ""), `${typed} + tab: ${JSON.stringify(stdout)}`);
    }
  });
});
