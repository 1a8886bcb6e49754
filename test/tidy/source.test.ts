// Proves that the scanner sees code as code and everything else as blank.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exportsOf, functionsOf, importsOf, makeSource, maskLiterals } from "./source.ts";

/** What remains of `text`, without the blanks. */
function kept(text: string): string {
  return maskLiterals(text).replace(/\s+/g, " ").trim();
}

describe("the scanner", () => {
  test("blanks comments and strings and keeps lines and columns", () => {
    const text = 'a; // b "c"\n/* d\n`e` */ f("g // h", \'i\');\n';
    assert.equal(kept(text), `a; f(" ", ' ');`);
    assert.equal(maskLiterals(text).length, text.length);
    assert.equal(maskLiterals(text).split("\n").length, text.split("\n").length);
  });

  test("keeps the code inside of templates, nested ones included", () => {
    assert.equal(kept("`a ${b + `c ${{ d: 1 }} e`} f` + g"), "` {b + ` {{ d: 1 }} `} ` + g");
  });

  test("tells a regular expression from a division", () => {
    assert.equal(kept('x = /"[/"]/g; y = a / b / c; f(/`/)'), "x = / /g; y = a / b / c; f(/ /)");
  });

  test("survives escapes and text that never ends", () => {
    assert.equal(kept('"\\"" + a'), '" " + a');
    for (const text of ["`a ${b", '"a', "/* a", "/a", "`a", "a ? `${'}'}` : b"]) {
      assert.equal(maskLiterals(text).length, text.length, text);
    }
  });

  test("finds every form of import", () => {
    const text = [
      'import "a";',
      'import type { B } from "b";',
      'import c, {\n  d,\n} from "c";',
      'export { e } from "e";',
      'const f = await import("f");',
      'import { type G } from "g";',
      '// import "h";',
      "const i = 'import \"i\"';",
    ].join("\n");
    const found = importsOf(makeSource("x.ts", text));
    const specifiers = found.map(({ specifier }) => specifier).sort();
    assert.deepEqual(specifiers, ["a", "b", "c", "e", "f", "g"]);
    assert.deepEqual(found.filter((i) => i.typeOnly).map((i) => i.specifier), ["b"]);
    assert.deepEqual(found.filter((i) => i.dynamic).map((i) => i.specifier), ["f"]);
    assert.equal(found.find(({ specifier }) => specifier === "e")?.line, 6);
  });

  test("measures functions whatever their types look like", () => {
    const text = [
      "export function a<T extends { x: number }>(p: T): { y: number } {",
      "  if (p.x > 0) {",
      "    return { y: 1 };",
      "  }",
      "  for (const q of []) { q; }",
      "  return { y: 2 };",
      "}",
      "class C {",
      "  async b(",
      "    p: () => { z: string },",
      "  ): Promise<void> {",
      "    await p();",
      "  }",
      "}",
      "const d = async (p: number): Promise<number> => {",
      "  return p;",
      "};",
    ].join("\n");
    const found = functionsOf(makeSource("x.ts", text));
    assert.deepEqual(
      found.map(({ name, line, lines }) => [name, line, lines]),
      [
        ["a", 1, 7],
        ["b", 9, 5],
        ["arrow function", 15, 3],
      ],
    );
  });

  test("measures exported declarations and sees their docstrings", () => {
    const text = [
      "/** Documented. */",
      "export function a(): { b: number } {",
      "  return { b: 1 };",
      "}",
      "",
      "/** Belongs to a constant that stands in between. */",
      "const c = 1;",
      "export interface D {",
      "  readonly e: string;",
      "}",
      "export interface F {",
      "  /** Says enough. */",
      "  readonly g: string;",
      "}",
    ].join("\n");
    const found = exportsOf(makeSource("x.ts", text));
    assert.deepEqual(
      found.map(({ name, line, lines, documented }) => [name, line, lines, documented]),
      [
        ["a", 2, 3, true],
        ["D", 8, 3, false],
        ["F", 11, 4, true],
      ],
    );
  });
});
