import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blankBetween, makeScreen } from "./screen.ts";

const OPTIONS = { columns: 80, linesMax: 40, unicode: true, colour: false };

describe("screen", () => {
  test("paints only where colours are wanted", () => {
    assert.equal(makeScreen(OPTIONS).paint("error", "x"), "x");
    const coloured = makeScreen({ ...OPTIONS, colour: true });
    assert.equal(coloured.paint("error", "x"), "\x1b[31mx\x1b[39m");
    assert.equal(coloured.paint("error", ""), "");
  });

  test("has an ASCII form of every glyph", () => {
    const { blocks, ...others } = makeScreen({ ...OPTIONS, unicode: false }).glyphs;
    for (const glyph of [...blocks, ...Object.values(others)]) assert.match(glyph, /^[!-~]+$/);
  });

  test("puts one blank line between sections, none at the beginning or the end", () => {
    let text = "";
    const emit = blankBetween((piece) => (text += piece));
    for (const piece of ["\n", "a\n", "\n", "\n", "b\n", "c\n", "\n"]) emit(piece);
    assert.equal(text, "a\n\nb\nc\n");
  });
});
