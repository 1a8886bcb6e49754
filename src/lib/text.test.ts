import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { counted, fill, pad, percent, printable, textWidth, thousands, wrap } from "./text.ts";

describe("text", () => {
  test("counts columns without colour codes and with one per code point", () => {
    assert.equal(textWidth("gw-1"), 4);
    assert.equal(textWidth("\x1b[31mnone\x1b[39m"), 4);
    assert.equal(textWidth("█▏→…"), 4);
    assert.equal(textWidth("𝒢"), 1);
  });

  test("pads coloured text to the same width as plain text", () => {
    assert.equal(pad("ab", 4), "ab  ");
    assert.equal(pad("ab", 4, "left"), "  ab");
    assert.equal(textWidth(pad("\x1b[1mab\x1b[22m", 4)), 4);
    assert.equal(pad("abcde", 4), "abcde");
  });

  test("makes control characters and direction marks of foreign text visible", () => {
    assert.equal(printable("a\x1b[2Jb\nc"), "a\\u001b[2Jb\\u000ac");
    assert.equal(printable("\u202eevil\u009b"), "\\u202eevil\\u009b");
    assert.equal(printable("grüße 世界"), "grüße 世界");
  });

  test("wraps at spaces and keeps longer words whole", () => {
    assert.deepEqual(wrap("one two three", 7), ["one two", "three"]);
    assert.deepEqual(wrap("2001:db8:0:0:1::/80 x", 5), ["2001:db8:0:0:1::/80", "x"]);
    assert.deepEqual(wrap("", 5), [""]);
    assert.deepEqual(fill(["[-o wide]", "[--strict]", "a"], 12), ["[-o wide]", "[--strict] a"]);
  });

  test("writes numbers and nouns as people do", () => {
    assert.equal(thousands(0), "0");
    assert.equal(thousands(999), "999");
    assert.equal(thousands(1_234_567), "1,234,567");
    assert.equal(counted(1, "endpoint"), "1 endpoint");
    assert.equal(counted(1200, "gateway"), "1,200 gateways");
    assert.equal(counted(0, "policy"), "0 policies");
  });

  test("never rounds something to nothing or a part to the whole", () => {
    const cases: [number, number, string][] = [
      [0, 10, "0%"],
      [0, 0, "0%"],
      [1, 262_144, "<0.1%"],
      [1, 1000, "0.1%"],
      [1, 24, "4.2%"],
      [1, 3, "33%"],
      [9999, 10_000, ">99%"],
      [10, 10, "100%"],
      [10_001, 10_000, ">100%"],
      [13, 10, "130%"],
    ];
    for (const [part, whole, text] of cases) assert.equal(percent(part, whole), text);
  });
});
