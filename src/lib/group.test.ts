// Proves that groups and items keep their order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { groupBy } from "./group.ts";

test("items are grouped by key, in the order in which they came", () => {
  const groups = groupBy([3, 1, 4, 2], (n) => n % 2);
  assert.deepEqual([...groups], [[1, [3, 1]], [0, [4, 2]]]);
  assert.equal(groupBy([], String).size, 0);
});
