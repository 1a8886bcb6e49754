// The table of reasons in docs/packets.md, made from src/plan/reason.ts, and the names that the
// rest of the document uses.

import type { Reason } from "../../src/plan/reason.ts";
import { renderTable } from "./json-docs.ts";

/** One row for each reason. */
export function renderReasons(reasons: readonly Reason[]): string {
  const rows = reasons.map(({ name, counter, drop, meaning, remedy }) => [
    `\`${name}\``,
    counter,
    drop ? "yes" : "",
    meaning,
    remedy,
  ]);
  return renderTable(["reason", "counted by", "drops", "meaning", "what to do"], rows);
}

/** Names in the table of cases, which stand in backquotes in its last columns. */
export function reasonsOfCases(document: string): Set<string> {
  const rows = document.split("\n").filter((line) => line.startsWith("| "));
  const cells = rows.flatMap((row) => row.split(" | ").slice(2));
  const names = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)]);
  return new Set(names.map(([, name = ""]) => name));
}
