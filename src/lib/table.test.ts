import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Screen } from "./screen.ts";
import { makeScreen, PLAIN } from "./screen.ts";
import { mapped, renderTable } from "./table.ts";
import type { Table } from "./table.ts";

function drawn(table: Pick<Table, "rows" | "size">, screen: Screen): string {
  let text = "";
  const columns = [{ title: "NAME" }, { title: "ROWS", align: "right" as const }, { title: "" }];
  renderTable({ columns, seeAll: "-o wide", ...table }, screen, (piece) => (text += piece));
  return text;
}

describe("table", () => {
  test("aligns names left and numbers right, without trailing spaces", () => {
    const rows = [["a", "1", "x"], ["longer", "12345", ""]];
    assert.equal(
      drawn({ rows, size: 2 }, PLAIN),
      "  NAME     ROWS\n  a           1  x\n  longer  12345\n",
    );
  });

  test("aligns coloured cells like plain ones", () => {
    const colour = makeScreen({ columns: 80, linesMax: 9, unicode: true, colour: true });
    const rows = [[colour.paint("error", "a"), "1", "x"], ["bb", "22", "y"]];
    const text = drawn({ rows, size: 2 }, colour);
    assert.match(text, /\x1b\[31ma/);
    const plain = text.replaceAll(/\x1b\[\d+m/g, "");
    assert.equal(plain, drawn({ rows: [["a", "1", "x"], ["bb", "22", "y"]], size: 2 }, PLAIN));
  });

  test("cuts a long list and says how much is missing and how to see it", () => {
    const rows = Array.from({ length: 1005 }, (_, i) => [`n${i}`, "1", ""]);
    const text = drawn({ rows, size: rows.length }, { ...PLAIN, linesMax: 5 });
    assert.equal(text.split("\n").length, 1 + 5 + 1 + 1);
    assert.match(text, /… 1,000 more; all with -o wide\n$/);
    assert.doesNotMatch(drawn({ rows, size: rows.length }, PLAIN), /more/);
  });

  test("reads generated rows twice and keeps none of them", () => {
    let read = 0;
    const rows = mapped([1, 2, 3], (i) => {
      read++;
      return [`n${i}`, String(i), ""];
    });
    drawn({ rows, size: 3 }, PLAIN);
    assert.equal(read, 6);
  });
});
