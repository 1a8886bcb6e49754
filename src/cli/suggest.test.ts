import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearest, suggest } from "./suggest.ts";

describe("did you mean", () => {
  test("forgives one slip in a short word and more in a longer one", () => {
    const commands = ["plan", "diff", "explain", "validate"];
    for (const word of ["pln", "plna", "plann", "PLAN", "pla"]) {
      assert.equal(suggest(word, commands), "plan");
    }
    assert.equal(suggest("explian", commands), "explain");
    assert.equal(suggest("vladiate", commands), "validate");
  });

  test("proposes nothing that is far away", () => {
    assert.equal(suggest("deploy", ["plan", "diff"]), undefined);
    assert.equal(suggest("", ["plan"]), undefined);
  });

  test("completes a beginning and puts the nearest first", () => {
    assert.deepEqual(nearest("cart", ["web-0", "cart-10", "cart-1"], 5), ["cart-1", "cart-10"]);
    assert.deepEqual(nearest("cart-2", ["cart-0", "cart-1", "cart-3"], 2).length, 2);
  });
});
