import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { load } from "js-yaml";
import type { Data } from "./data.ts";
import { blockJson, blockYaml, inlineJson } from "./data.ts";

/** What YAML 1.1 or 1.2 reads as something else than this string, unless it is quoted. */
const AWKWARD = fc.constantFrom(
  ..."yes No null ~ 1 1e3 0x10 12:30:45 2001-01-01 :: # true y = <<".split(" "),
  ...["'", '"', "{}", "[a]", "*x", "&x", "!x"],
  ...["", " ", "a: b", "- a", "a #b", "%x", "@x", "`x", "a\nb", "\t", ".inf", ".nan"],
  ...["\u0085", "\u2028", "\ufeff", "1e100000-0000-0000-0000-000000000000"],
);
const TEXT = fc.oneof(AWKWARD, fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));
/** Keys are our own field names. */
const KEY = fc.stringMatching(/^[a-z][A-Za-z0-9]{3,8}IP$/);

const { data: DATA } = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 4 },
    TEXT,
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.array(tie("data"), { maxLength: 4 }),
    fc.dictionary(KEY, tie("data"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

describe("plain data", () => {
  test("is the same after JSON, inline and in blocks", () => {
    fc.assert(
      fc.property(DATA, (data) => {
        assert.deepEqual(JSON.parse(inlineJson(data)), data);
        assert.deepEqual(JSON.parse(blockJson(data)), data);
        assert.doesNotMatch(inlineJson(data), /\n/);
      }),
    );
  });

  test("is the same after YAML", () => {
    fc.assert(fc.property(DATA, (data) => assert.deepEqual(load(blockYaml(data)), data)));
  });

  test("breaks lists of objects into lines and nothing else", () => {
    const data = { a: 1, b: [1, 2], c: { d: "x" }, e: [{ f: 1 }, { f: [] }], g: { h: [{}] } };
    assert.equal(
      blockJson(data),
      `{
  "a": 1,
  "b": [1, 2],
  "c": {"d": "x"},
  "e": [
    {"f": 1},
    {"f": []}
  ],
  "g": {
    "h": [
      {}
    ]
  }
}`,
    );
    assert.equal(
      blockYaml(data),
      "a: 1\nb: [1, 2]\nc:\n  d: x\ne:\n- f: 1\n- f: []\ng:\n  h:\n  - {}",
    );
  });

  test("quotes in YAML only what would be read as something else", () => {
    const texts = ["gw-1", "192.0.2.0/24", "10.0.0.1", "shop/cart-0", "2001:db8::1", "no", "1.5"];
    assert.equal(
      blockYaml(texts),
      '[gw-1, 192.0.2.0/24, 10.0.0.1, shop/cart-0, "2001:db8::1", "no", "1.5"]',
    );
  });
});
