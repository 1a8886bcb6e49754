// What a check of a node found, for people and as the document of `sluice doctor -o json`.

import type { Emit, Screen, Tone } from "../../../lib/screen.ts";
import { counted, pad, printable } from "../../../lib/text.ts";
import { shortList, writeDocument } from "../../../plan/document.ts";
import { paragraph } from "../../../plan/render-issues.ts";
import type { Finding, Level } from "./finding.ts";

const TONES: Readonly<Record<Level, Tone>> = { ok: "good", warning: "warning", error: "error" };
const LEVEL_WIDTH = "warning".length;
const GAP = "  ";

/** A line for each finding, what to do below it, and how many there are of what. */
export function renderFindings(findings: readonly Finding[], screen: Screen, emit: Emit): void {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const indent = " ".repeat(LEVEL_WIDTH + width + 2 * GAP.length);
  for (const { check, level, message, remedy } of findings) {
    const tag = screen.paint(TONES[level], pad(level, LEVEL_WIDTH));
    const first = `${tag}${GAP}${pad(check, width)}${GAP}`;
    paragraph(printable(message), { first, rest: indent }, screen, emit);
    if (remedy === "") continue;
    const arrow = `${screen.glyphs.arrow} `;
    const marks = { first: indent + arrow, rest: indent + " ".repeat(arrow.length) };
    paragraph(printable(remedy), marks, screen, emit);
  }
  const count = (level: Level) => findings.filter((one) => one.level === level).length;
  const parts = (["error", "warning"] as const)
    .filter((level) => count(level) > 0)
    .map((level) => screen.paint(TONES[level], counted(count(level), level)));
  const verdict = count("error") > 0 ? "an agent cannot run here" : "an agent can run here";
  emit(`\n${[...parts, verdict].join(", ")}\n`);
}

/** The document of `-o json`. */
export function writeFindings(findings: readonly Finding[], emit: Emit): void {
  const list = shortList(findings, ({ check, level, message, remedy }) => {
    return { check, level, message, remedy: remedy === "" ? null : remedy };
  });
  writeDocument("NodeDiagnosis", [{ key: "findings", list }], "json", emit);
}
