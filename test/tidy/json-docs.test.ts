// Proves that the tables of docs/json.md follow what they are made from.

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderIssueCodes, renderSchema, withGenerated } from "./json-docs.ts";

test("an issue code is a row", () => {
  const table = renderIssueCodes({ A: { severity: "error", meaning: "B | C.", remedy: "D." } });
  assert.match(table, /^\| `A` \| error \| B \\\| C\. \| D\. \|$/m);
});

test("a field is a row, and so is a field of an object inside", () => {
  const table = renderSchema({
    required: ["a"],
    properties: {
      a: { type: "integer", description: "How many." },
      b: { type: ["array", "null"], items: { $ref: "#/definitions/d" } },
      c: { type: "array", items: { required: ["e"], properties: { e: { enum: ["x", null] } } } },
    },
    definitions: { d: { description: "A d.", properties: { f: { const: "y" } } } },
  });
  const rows = [
    "| `a` | integer | How many. |",
    "| `b` | list of d or null, optional |  |",
    "| `c` | list of object, optional |  |",
    '| `c[].e` | `"x"` or null |  |',
    "**d**: A d.",
    '| `f` | `"y"`, optional |  |',
  ];
  for (const row of rows) assert.ok(table.includes(`${row}\n`), `${row} is not in\n${table}`);
});

test("the kinds of an object stand with what each of them has", () => {
  const table = renderSchema({
    oneOf: [
      {
        description: "Gone.",
        required: ["kind", "g"],
        properties: { kind: { const: "x" }, g: { type: "string" } },
      },
    ],
  });
  assert.ok(table.includes('| `kind` | `"x"` | Gone. |\n| … `g` | string |  |\n'), table);
});

test("what is made stands between its marks, which must be there", () => {
  const document = (text: string) => `x\n<!-- made from a -->\n${text}<!-- end of a -->\ny\n`;
  assert.equal(withGenerated(document("old\n"), "a", "new\n"), document("\nnew\n\n"));
  assert.equal(withGenerated(document("\nnew\n\n"), "a", "new\n"), document("\nnew\n\n"));
  assert.throws(() => withGenerated(document(""), "b", "new\n"), /marks/);
});
