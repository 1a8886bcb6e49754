// Issues for people: per object what is wrong, where, and what to do about it.

import type { Emit, Screen } from "../lib/screen.ts";
import { counted, printable, thousands, wrap } from "../lib/text.ts";
import type { Issue, Severity } from "../model/issue.ts";
import { ISSUE_CODES } from "../model/issue.ts";

/** Writes the issues in the order given, those of one object under its name. */
export function renderIssues(issues: readonly Issue[], screen: Screen, emit: Emit): void {
  const shown = issues.slice(0, screen.linesMax);
  for (const [i, group] of runsOf(shown, ({ object }) => object).entries()) {
    if (i > 0) emit("\n");
    emit(`${screen.paint("title", printable((group[0] as Issue).object))}\n`);
    renderObjectIssues(group, screen, emit);
  }
  if (shown.length === issues.length) return;
  const rest = `${thousands(issues.length - shown.length)} more; all with -o json`;
  emit(`\n${screen.paint("faint", `${screen.glyphs.more} ${rest}`)}\n`);
}

/** The issues of one object: severity, code and path, message, and once per code the remedy. */
export function renderObjectIssues(issues: readonly Issue[], screen: Screen, emit: Emit): void {
  for (const group of runsOf(issues, ({ code }) => code)) {
    for (const one of group) {
      const tag = screen.paint(one.severity, `${one.severity} ${one.code}`);
      const path = one.path === "" ? "" : `  ${screen.paint("accent", printable(one.path))}`;
      emit(`  ${tag}${path}\n`);
      paragraph(printable(one.message), { first: "    ", rest: "    " }, screen, emit);
    }
    const first = `    ${screen.glyphs.arrow} `;
    const marks = { first, rest: " ".repeat(first.length) };
    paragraph(ISSUE_CODES[(group[0] as Issue).code].remedy, marks, screen, emit);
  }
}

/** Neighbours with the same key, together. */
function runsOf<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const runs: T[][] = [];
  let key: string | undefined;
  for (const item of items) {
    if (keyOf(item) === key) runs.at(-1)?.push(item);
    else runs.push([item]);
    key = keyOf(item);
  }
  return runs;
}

/** Text wrapped to the screen, with `first` before its first line and `rest` before the others. */
export function paragraph(
  text: string,
  marks: { readonly first: string; readonly rest: string },
  screen: Screen,
  emit: Emit,
): void {
  const width = screen.columns === undefined ? Infinity : screen.columns - marks.rest.length;
  for (const [i, line] of wrap(text, width).entries()) {
    emit(`${i === 0 ? marks.first : marks.rest}${line}\n`);
  }
}

/** `2 errors, 1 warning`; `no issues`. */
export function renderIssueCount(issues: readonly Issue[]): string {
  const parts: string[] = [];
  for (const severity of ["error", "warning"] as const) {
    const found = countOf(issues, severity);
    if (found > 0) parts.push(counted(found, severity));
  }
  return parts.join(", ") || "no issues";
}

export function countOf(issues: readonly Issue[], severity: Severity): number {
  return issues.filter((one) => one.severity === severity).length;
}
