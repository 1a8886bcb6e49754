// Proves that the comparison of contract, tests and code can fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { citationsOf, coverage, numbering, rulesOf, titlesOf } from "./contract.ts";
import { renderFinding } from "./rules.ts";
import { makeSource } from "./source.ts";

const DOCUMENT = makeSource(
  "docs/semantics.md",
  "# 1\n- **1.1** `built` A.\n- **1.2** `planned` B.\n# 2\n| **2.1** `built` | C. |\n",
);

test("rules are read with number, state and line", () => {
  assert.deepEqual(rulesOf(DOCUMENT), [
    { id: "1.1", state: "built", line: 2 },
    { id: "1.2", state: "planned", line: 3 },
    { id: "2.1", state: "built", line: 5 },
  ]);
});

test("gaps and repetitions in the numbering are found", () => {
  const check = (...ids: string[]) =>
    numbering(DOCUMENT, ids.map((id) => ({ id, state: "built", line: 1 }))).length;
  assert.equal(check("1.1", "1.2", "2.1", "2.2", "3.1"), 0);
  assert.equal(check("1.1", "1.3"), 1);
  assert.equal(check("1.1", "1.1"), 1);
  assert.equal(check("1.1", "3.1"), 1);
  assert.equal(check("2.1"), 1);
});

test("titles count, code and comments do not", () => {
  const text = [
    'test("a holds [1.1]", () => {});',
    "test(`b ${[9.1]} holds [1.2, 2.1]`, () => {});",
    "const numbers = [9.2, 9.3];",
    "// see [9.4]",
  ].join("\n");
  const ids = titlesOf([makeSource("src/a.test.ts", text)]).map(({ id }) => id);
  assert.deepEqual(ids, ["1.1", "1.2", "2.1"]);
  assert.deepEqual(titlesOf([makeSource("src/a.ts", text)]), []);
});

test("a story names its rules in the comment that it begins with", () => {
  const story = "# A story.\n# Longer. [1.1, 2.1]\nnode a\n# [1.2]\n";
  const ids = titlesOf([makeSource("test/scenarios/a.txtar", story)]).map(({ id }) => id);
  assert.deepEqual(ids, ["1.1", "2.1"]);
});

test("comments of the program cite rules", () => {
  const text = "// Sorted (rule 1.1),\n// as rules 1.2 and 2.1 say; version 3.7 is no rule.";
  const cited = citationsOf([makeSource("src/a.ts", text)]);
  assert.deepEqual(cited.map(({ id, line }) => [id, line]), [
    ["1.1", 1],
    ["1.2", 2],
    ["2.1", 2],
  ]);
});

test("a built rule without a test and a rule that does not exist are found", () => {
  const mention = (id: string) => ({ id, path: "src/a.test.ts", line: 7 });
  const found = coverage(DOCUMENT, {
    titles: [mention("1.1"), mention("8.8")],
    citations: [mention("9.9")],
  }).map(renderFinding);
  assert.equal(found.length, 3);
  assert.match(found[0] as string, /semantics\.md:5: .*no test names the built rule 2\.1/);
  assert.match(found[1] as string, /a\.test\.ts:7: .*no rule 8\.8/);
  assert.match(found[2] as string, /no rule 9\.9/);
  const all = { titles: [mention("1.1"), mention("2.1")], citations: [mention("1.2")] };
  assert.deepEqual(coverage(DOCUMENT, all), []);
});
