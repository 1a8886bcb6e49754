// Which words go where: answers on standard output, all else on standard error, and what happens
// when nobody reads.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EXAMPLE, inShell, MAIN, sluice, temporaryFolder } from "../support/run-cli.ts";

const EXAMPLE_TEXT = EXAMPLE.join(" ");
const ESCAPE = /\x1b\[/;

describe("answers and messages", () => {
  test("shows help on standard output when asked, and on standard error when lost", () => {
    for (const words of [["--help"], ["-h"], ["help"], ["help", "plan"], ["plan", "--help"]]) {
      const { exit, stdout, stderr } = sluice(words);
      assert.deepEqual([exit, stderr], [0, ""]);
      assert.match(stdout, /Usage\n {2}sluice/);
    }
    const { exit, stdout, stderr } = sluice([]);
    assert.deepEqual([exit, stdout], [2, ""]);
    assert.match(stderr, /Usage\n/);
  });

  test("says the version without loading any command", () => {
    const { exit, stdout } = sluice(["--version"]);
    assert.equal(exit, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    // NODE_DEBUG names every module that is loaded; `plan` is the control that this finds modules.
    const env = { NODE_DEBUG: "esm" };
    assert.doesNotMatch(sluice(["--version"], { env }).stderr, /engine\.ts|js-yaml/);
    assert.match(sluice(["plan", ...EXAMPLE], { env }).stderr, /engine\.ts[^]*js-yaml/);
  });

  test("explains wrong usage on standard error, with what was meant, and exits with 2", () => {
    const cases: [string[], RegExp][] = [
      [["paln"], /unknown command 'paln'; did you mean plan\?/],
      [["help", "dif"], /did you mean diff\?/],
      [["--verison"], /unknown option '--verison'; did you mean --version\?/],
      [["plan"], /-f PATH is required, or .*\nFor example: sluice plan -f /],
      [["plan", "-f", "x", "--nod", "y"], /unknown option --nod; did you mean --node\?/],
      [["plan", "examples/cluster", "-f", "x"], /unexpected argument[^]*with -f\./],
      [["completion", "tcsh"], /unknown value 'tcsh'[^]*bash, zsh, fish/],
    ];
    for (const [words, message] of cases) {
      const { exit, stdout, stderr } = sluice(words);
      assert.deepEqual([exit, stdout], [2, ""], words.join(" "));
      assert.match(stderr, message);
    }
  });

  test("escapes control characters of the command line in messages", () => {
    assert.doesNotMatch(sluice(["\x1b[2Jplan"]).stderr, ESCAPE);
  });
});

describe("colours", () => {
  test("are absent from pipes and there when forced", () => {
    const words = ["plan", ...EXAMPLE];
    assert.doesNotMatch(sluice(words).stdout, ESCAPE);
    assert.doesNotMatch(sluice(words, { env: { FORCE_COLOR: "0" } }).stdout, ESCAPE);
    assert.match(sluice(words, { env: { FORCE_COLOR: "1" } }).stdout, ESCAPE);
    const json = sluice([...words, "-o", "json"], { env: { FORCE_COLOR: "1" } });
    assert.doesNotMatch(json.stdout, ESCAPE);
  });

  const noTerminal = existsSync("/usr/bin/script") ? false : "script(1) is not installed";
  test("are there on a terminal, unless NO_COLOR or TERM=dumb", { skip: noTerminal }, () => {
    const onTerminal = (env: Record<string, string>) => {
      const command = `${process.execPath} ${MAIN} plan ${EXAMPLE_TEXT}`;
      return inShell("sh", `script --quiet --command '${command}' /dev/null`, { env }).stdout;
    };
    assert.match(onTerminal({}), ESCAPE);
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
      const text = onTerminal(env);
      assert.match(text, /gateway-1/);
      assert.doesNotMatch(text, ESCAPE);
    }
  });

  test("give way to ASCII bars where the locale has no UTF-8", () => {
    const { stdout } = sluice(["plan", ...EXAMPLE], { env: { LANG: "C" } });
    assert.match(stdout, /12 endpoints -> 3 gateways[^]* 33% {2}#######\n/);
    assert.match(stdout, /^[\n -~]*$/);
  });
});

describe("pipes", () => {
  test("may be closed early: the command ends quietly and with its own status", () => {
    const script = `
      set -o pipefail
      sluice plan ${EXAMPLE_TEXT} --node gateway-1 -o json | head -c 10 > /dev/null
      echo "plan $?"
      sluice plan ${EXAMPLE_TEXT} | true
      echo "true $?"
    `;
    const { stdout, stderr } = inShell("bash", script);
    assert.equal(stdout, "plan 0\ntrue 0\n");
    assert.equal(stderr, "");
  });

  test("carry every byte of an answer larger than they are, to a slow reader", (t) => {
    const folder = temporaryFolder(t);
    const pods = Array.from({ length: 3000 }, (_, i) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `p${i}`, namespace: "shop", uid: `uid-${i}` },
      status: { podIP: `10.2.${i >> 8}.${i & 255}` },
    }));
    writeFileSync(join(folder, "pods.json"), pods.map((pod) => JSON.stringify(pod)).join("\n"));
    const { stdout } = inShell("bash", `
      plan() { sluice plan ${EXAMPLE_TEXT} -f ${folder}/pods.json --node gateway-1 -o json; }
      plan > ${folder}/direct
      plan | { sleep 0.3; cat; } | cmp - ${folder}/direct && wc --bytes < ${folder}/direct
    `);
    assert.ok(Number(stdout) > 1_000_000, stdout);
  });

  const noFull = existsSync("/dev/full") ? false : "/dev/full is not there";
  test("that cannot be written end with 2 and the reason", { skip: noFull }, () => {
    const { exit, stderr } = inShell("sh", `sluice plan ${EXAMPLE_TEXT} > /dev/full`);
    assert.equal(exit, 2);
    assert.match(stderr, /cannot write: ENOSPC/);
  });
});
