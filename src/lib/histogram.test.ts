import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.ts";

test("a value counts in its bucket and in all behind it, bounds included", () => {
  const histogram = new Histogram([1, 10]);
  for (const value of [0.5, 1, 2, 20]) histogram.add(value);
  assert.deepEqual(histogram.counts(), {
    buckets: [
      { atMost: 1, count: 2 },
      { atMost: 10, count: 3 },
    ],
    count: 4,
    sum: 23.5,
  });
});
