// Aligned columns. Rows may be generated: they are asked for twice, once for the widths and once
// for the text, so that a million of them need no memory.

import type { Emit, Screen } from "./screen.ts";
import { pad, textWidth, thousands } from "./text.ts";

export interface Column {
  /** Shown in capitals by convention; numbers stand on the right. */
  readonly title: string;
  readonly align?: "left" | "right";
}

export interface Table {
  readonly columns: readonly Column[];
  /** One cell per column; cells may hold colour codes. Asked for twice. */
  readonly rows: Iterable<readonly string[]>;
  /** How many rows there are. */
  readonly size: number;
  /** What shows all of them, as in `-o wide`, where a screen cuts the list (`linesMax`). */
  readonly seeAll: string;
}

const INDENT = "  ";
const GAP = "  ";

/** Writes the heading, a line per row and, where rows are left out, how to see them. */
export function renderTable(table: Table, screen: Screen, emit: Emit): void {
  const { columns, size } = table;
  const cut = size > screen.linesMax;
  const rows = cut ? firstOf(table.rows, screen.linesMax) : table.rows;
  const widths = columns.map(({ title }) => textWidth(title));
  for (const row of rows) {
    for (let i = 0; i < widths.length; i++) {
      widths[i] = Math.max(widths[i] as number, textWidth(row[i] as string));
    }
  }
  const heading = line(columns.map(({ title }) => title), columns, widths);
  emit(`${INDENT}${screen.paint("faint", heading)}\n`);
  for (const row of rows) emit(`${INDENT}${line(row, columns, widths)}\n`);
  if (!cut) return;
  const more = `${screen.glyphs.more} ${thousands(size - screen.linesMax)} more`;
  emit(`${INDENT}${screen.paint("faint", `${more}; all with ${table.seeAll}`)}\n`);
}

function line(
  cells: readonly string[],
  columns: readonly Column[],
  widths: readonly number[],
): string {
  const padded = cells.map((cell, i) => {
    const right = columns[i]?.align === "right";
    return pad(cell, widths[i] as number, right ? "left" : "right");
  });
  return padded.join(GAP).trimEnd();
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}

/** The items one by one through `map`, as often as asked. */
export function mapped<T, U>(items: Iterable<T>, map: (item: T) => U): Iterable<U> {
  return {
    *[Symbol.iterator]() {
      for (const item of items) yield map(item);
    },
  };
}
