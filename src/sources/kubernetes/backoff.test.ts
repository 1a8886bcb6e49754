import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Backoff } from "./backoff.ts";

describe("a backoff", () => {
  test("doubles up to its limit, ends never, and begins anew after a success", () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 500, random: () => 1 });
    const next = () => backoff.next();
    assert.deepEqual([next(), next(), next(), next(), next()], [100, 200, 400, 500, 500]);
    backoff.reset();
    assert.equal(next(), 100);
  });

  test("spreads over half of its time", () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 100, random: () => 0 });
    assert.equal(backoff.next(), 50);
  });
});
