import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arguments } from "./arguments.ts";
import { optionsOf, parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";

const COMMAND: Command = {
  name: "test",
  summary: "",
  description: [],
  options: [
    { name: "file", short: "f", value: "PATH", kind: "file", repeatable: true, summary: "" },
    {
      name: "rows",
      value: "WHICH",
      values: ["needed", "all"],
      env: "ROWS",
      default: "needed",
      summary: "",
    },
    { name: "map-size", value: "N", kind: "count", default: "10", summary: "" },
    { name: "strict", summary: "" },
  ],
  positionals: [{ name: "POD" }, { name: "DESTINATION", optional: true }],
  examples: [],
  exits: [],
  load: () => Promise.reject(new Error("not loaded")),
};

function parsed(words: readonly string[], environment = {}): Arguments {
  const args = parseArguments(COMMAND, words, environment);
  assert.ok(args !== "help");
  return args;
}

function refused(words: readonly string[], environment = {}): string {
  try {
    parseArguments(COMMAND, words, environment);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  return assert.fail("not refused");
}

describe("a command line", () => {
  test("gives options in every usual spelling, and positionals anywhere", () => {
    const args = parsed(["pod", "-f", "a", "-fb", "--file", "c", "--file=d", "-f", "-", "dst"]);
    assert.deepEqual(args.all("file"), ["a", "b", "c", "d", "-"]);
    assert.deepEqual(args.positionals, ["pod", "dst"]);
    assert.deepEqual(parsed(["--", "-f"]).positionals, ["-f"]);
  });

  test("takes a value from the line, then the environment, then the default", () => {
    assert.equal(parsed(["p", "--rows", "all"], { ROWS: "needed" }).text("rows"), "all");
    assert.equal(parsed(["p"], { ROWS: "all" }).choice("rows", ["needed", "all"]), "all");
    assert.equal(parsed(["p"], { ROWS: "" }).text("rows"), "needed");
    assert.equal(parsed(["p"]).count("map-size"), 10);
    assert.equal(parsed(["p"]).has("strict"), false);
    assert.equal(parsed(["p", "--strict"]).has("strict"), true);
    assert.equal(parsed(["p"]).text("file"), undefined);
  });

  test("refuses unknown options and values and proposes the nearest", () => {
    assert.equal(refused(["p", "--rwos", "all"]), "unknown option --rwos; did you mean --rows?");
    assert.equal(refused(["p", "--xyzzy"]), "unknown option --xyzzy");
    assert.equal(refused(["p", "-x"]), "unknown option -x");
    assert.equal(refused(["p", "--rows", "al"]), "--rows: unknown value 'al'; did you mean all?");
    assert.match(refused(["p"], { ROWS: "some" }), /the environment variable ROWS: unknown value/);
  });

  test("refuses missing and misplaced values", () => {
    assert.equal(refused(["p", "--rows"]), "--rows needs a value: WHICH");
    assert.equal(refused(["p", "--rows", "--strict"]), "--rows needs a value: WHICH");
    assert.equal(refused(["p", "--rows="]), "--rows needs a value: WHICH");
    assert.equal(refused(["p", "--strict=yes"]), "--strict takes no value");
    for (const size of ["0", "1.5", "x", "1e3", "12345678901"]) {
      assert.match(refused(["p", "--map-size", size]), /whole number/);
    }
    assert.match(refused(["p", "--map-size=-1"]), /whole number/);
  });

  test("refuses too few and too many words", () => {
    assert.equal(refused([]), "POD is required");
    assert.equal(refused(["a", "b", "c"]), "unexpected argument 'c'");
  });

  test("asks for help wherever it stands, whatever else is wrong", () => {
    assert.equal(parseArguments(COMMAND, ["--bogus", "--help"], {}), "help");
    assert.equal(parseArguments(COMMAND, ["a", "b", "c", "-h"], {}), "help");
    assert.notEqual(parseArguments(COMMAND, ["--", "--help"], {}), "help");
  });
});

describe("the table of commands", () => {
  test("has unique names and letters, valid defaults and an example for each command", () => {
    for (const command of COMMANDS) {
      const options = optionsOf(command);
      const flags = options.flatMap(({ name, short }) => (short ? [name, short] : [name]));
      assert.equal(new Set(flags).size, flags.length, command.name);
      for (const { values, default: fallback } of options) {
        if (fallback !== undefined && values) assert.ok(values.includes(fallback), command.name);
      }
      assert.ok(command.examples.length > 0, command.name);
    }
  });

  test("loads a module with a run function for each command", async () => {
    for (const { load } of COMMANDS) assert.equal(typeof (await load()).run, "function");
  });
});
