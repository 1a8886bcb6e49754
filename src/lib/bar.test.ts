import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bar } from "./bar.ts";
import { makeScreen, PLAIN } from "./screen.ts";
import { textWidth } from "./text.ts";

const ASCII = makeScreen({ columns: 80, linesMax: 40, unicode: false, colour: false });

/** Length in eighths of a cell. */
function eighths(text: string): number {
  return [...text].reduce((sum, cell) => sum + (PLAIN.glyphs.blocks.indexOf(cell) + 1), 0);
}

describe("bar", () => {
  test("is as long as the number, to an eighth of a cell", () => {
    for (let part = 0; part <= 80; part++) assert.equal(eighths(bar(part, 80, 10, PLAIN)), part);
  });

  test("always fills its columns", () => {
    for (const part of [0, 1, 7, 50, 99, 100, 250]) {
      assert.equal(textWidth(bar(part, 100, 20, PLAIN)), 20);
      assert.equal(textWidth(bar(part, 100, 20, ASCII)), 20);
    }
  });

  test("draws something for the smallest part and a gap below the whole", () => {
    assert.equal(bar(1, 1_000_000, 4, PLAIN), "▏   ");
    assert.equal(bar(0, 100, 4, PLAIN), "    ");
    assert.equal(bar(0, 0, 4, PLAIN), "    ");
    assert.equal(bar(999_999, 1_000_000, 4, PLAIN), "███▉");
    assert.equal(bar(5, 5, 4, PLAIN), "████");
    assert.equal(bar(9, 5, 4, PLAIN), "████");
  });

  test("uses plain characters where the locale has no UTF-8", () => {
    assert.equal(bar(1, 2, 4, ASCII), "##  ");
    assert.equal(bar(1, 1000, 4, ASCII), "#   ");
  });
});
