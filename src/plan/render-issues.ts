// Issues for people: per object what is wrong, where, and what to do about it.

import type { Emit, Screen } from "../lib/screen.ts";
import { counted, printable, wrap } from "../lib/text.ts";
import type { Issue, Severity } from "../model/issue.ts";
import { ISSUE_CODES } from "../model/issue.ts";

/** Writes the issues in the order given, those of one object under its name. */
export function renderIssues(issues: readonly Issue[], screen: Screen, emit: Emit): void {
  let object: string | undefined;
  for (const one of issues) {
    if (one.object !== object) {
      emit(`${object === undefined ? "" : "\n"}${screen.paint("title", printable(one.object))}\n`);
      object = one.object;
    }
    renderIssue(one, screen, emit);
  }
}

/** One issue below its object: severity, code and path, then the message, then the remedy. */
export function renderIssue(one: Issue, screen: Screen, emit: Emit): void {
  const path = one.path === "" ? "" : `  ${printable(one.path)}`;
  const tag = screen.paint(one.severity, `${one.severity} ${one.code}`);
  emit(`  ${tag}${screen.paint("accent", path)}\n`);
  paragraph(printable(one.message), { first: "    ", rest: "    " }, screen, emit);
  const arrow = `    ${screen.glyphs.arrow} `;
  const marks = { first: arrow, rest: " ".repeat(arrow.length) };
  paragraph(ISSUE_CODES[one.code].remedy, marks, screen, emit);
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
