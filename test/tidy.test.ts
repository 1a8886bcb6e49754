// House rules, enforced on the whole tree. A finding reads `file:line: rule, reason; what to do
// instead`. The rules themselves are proven, on examples that break them, in test/tidy.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ISSUE_CODES } from "../src/model/issue.ts";
import { REASONS } from "../src/plan/reason.ts";
import { citationsOf, coverage, numbering, rulesOf, titlesOf } from "./tidy/contract.ts";
import { renderIssueCodes, renderSchema, withGenerated } from "./tidy/json-docs.ts";
import type { Schema } from "./tidy/json-docs.ts";
import { closureOf, layering, offline } from "./tidy/layers.ts";
import { reasonsOfCases, renderReasons } from "./tidy/packet-docs.ts";
import type { Finding } from "./tidy/rules.ts";
import { renderFinding, RULES } from "./tidy/rules.ts";
import type { Source } from "./tidy/source.ts";
import { kindOf, readTree, ROOT } from "./tidy/tree.ts";

/** Findings that stand for a reason: `path: rule` -> the reason. */
const ALLOWED: Readonly<Record<string, string>> = {};

const OFFLINE_COMMANDS = ["plan", "diff", "explain", "validate", "consolidate"];
const OFFLINE = OFFLINE_COMMANDS.map((name) => `src/cli/${name}.ts`);

const tree = readTree(ROOT);
const sources = [...tree.values()];

function expectNone(findings: readonly Finding[]): void {
  const standing = findings.filter(({ path, rule }) => ALLOWED[`${path}: ${rule}`] === undefined);
  assert.ok(standing.length === 0, `\n${standing.map(renderFinding).join("\n")}\n`);
}

function fileAt(path: string): Source {
  const source = tree.get(path);
  assert.ok(source, `${path} is missing`);
  return source;
}

test("every file keeps the house rules", () => {
  expectNone(sources.flatMap((source) => RULES[kindOf(source)].flatMap((rule) => rule(source))));
});

test("imports point to lower layers", () => {
  expectNone(sources.filter(({ path }) => path.endsWith(".ts")).flatMap(layering));
});

test("offline commands load nothing native", () => {
  for (const entry of OFFLINE) fileAt(entry);
  expectNone(offline(tree, OFFLINE, "src/cli/live-cluster.ts"));
});

test("the command line loads the code of a command only when it is called", () => {
  const loaded = [...closureOf(tree, "src/cli/main.ts", { lazy: false }).keys()];
  assert.ok(loaded.includes("src/cli/commands.ts"), "the table of commands is not even loaded");
  const early = /^src\/(engine|sources|drivers|apps)\/|^src\/model\/parse\/|^(?!src\/|node:)/;
  assert.deepEqual(loaded.filter((path) => early.test(path) || OFFLINE.includes(path)), []);
});

test("every exception is still needed", () => {
  const findings = sources.flatMap((source) => [
    ...RULES[kindOf(source)].flatMap((rule) => rule(source)),
    ...(source.path.endsWith(".ts") ? layering(source) : []),
  ]);
  const found = new Set(findings.map(({ path, rule }) => `${path}: ${rule}`));
  assert.deepEqual(Object.keys(ALLOWED).filter((key) => !found.has(key)), []);
});

test("the contract counts its rules without gaps", () => {
  const document = fileAt("docs/semantics.md");
  const rules = rulesOf(document);
  assert.ok(rules.length > 50, `only ${rules.length} rules found`);
  expectNone(numbering(document, rules));
});

test("every built rule of the contract is named by a test, and every named rule exists", () => {
  // The examples in test/tidy speak of imaginary contracts.
  const tests = sources.filter(({ path }) => !path.startsWith("test/tidy/"));
  const named = { titles: titlesOf(tests), citations: citationsOf(sources) };
  expectNone(coverage(fileAt("docs/semantics.md"), named));
});

test("docs/json.md says what schemas and issue codes say (UPDATE=1 rewrites it)", () => {
  const { path, text } = fileAt("docs/json.md");
  const schemas = sources.filter((source) => source.path.startsWith("schemas/"));
  assert.ok(schemas.length > 0, "there are no schemas");
  let wanted = withGenerated(text, "src/model/issue.ts", renderIssueCodes(ISSUE_CODES));
  for (const schema of schemas) {
    const fields = renderSchema(JSON.parse(schema.text) as Schema);
    wanted = withGenerated(wanted, schema.path, fields);
  }
  if (process.env["UPDATE"] === "1") writeFileSync(join(ROOT, path), wanted);
  else assert.equal(text, wanted);
});

test("docs/packets.md says what the table of reasons says (UPDATE=1 rewrites it)", () => {
  const { path, text } = fileAt("docs/packets.md");
  const [cases = ""] = text.split("## Reasons");
  const known = new Set(REASONS.map(({ name }) => name));
  assert.deepEqual([...reasonsOfCases(cases)].filter((name) => !known.has(name)), []);
  const wanted = withGenerated(text, "src/plan/reason.ts", renderReasons(REASONS));
  if (process.env["UPDATE"] === "1") writeFileSync(join(ROOT, path), wanted);
  else assert.equal(text, wanted);
});

test("the whole tree type-checks", () => {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const run = () => execFileSync(process.execPath, [compiler, "-p", ROOT], { encoding: "utf8" });
  try {
    run();
  } catch (error) {
    assert.fail(`\n${(error as { stdout: string }).stdout}`);
  }
});
