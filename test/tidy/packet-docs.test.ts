// Proves that the tables of docs/packets.md follow what they are made from.

import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonsOfCases, renderReasons } from "./packet-docs.ts";

test("a reason is a row", () => {
  const common = { counter: "program", meaning: "M | m", remedy: "" } as const;
  const table = renderReasons([
    { ...common, name: "A", drop: true },
    { ...common, name: "B", drop: false, remedy: "R" },
  ]);
  assert.match(table, /^\| `A` \| program \| yes \| M \\\| m \|  \|$/m);
  assert.match(table, /^\| `B` \| program \|  \| M \\\| m \| R \|$/m);
});

test("the names of cases stand behind the second column", () => {
  const document = "`X`\n\n| a `B` | c | `D`, `E` | `F` |\n| --- | --- | --- | --- |\n";
  assert.deepEqual([...reasonsOfCases(document)], ["D", "E", "F"]);
});
