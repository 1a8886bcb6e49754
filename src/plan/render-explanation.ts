// An explanation for people: the answer first, then the numbered reasons. This file lays them out;
// explanation-answer.ts says what becomes of a packet, explanation-reasons.ts why.

import type { Emit, Screen, Tone } from "../lib/screen.ts";
import { pad, printable, textWidth, thousands, wrap } from "../lib/text.ts";
import { ORDINARY, renderAnswer, renderDestination, renderOutcome } from "./explanation-answer.ts";
import { reasonsOf } from "./explanation-reasons.ts";
import type { Fact } from "./explanation-reasons.ts";
import type { Explanation, Outcome } from "./explanation.ts";

/** Lines longer than this are hard to read, however wide the terminal is. */
const COLUMNS_MAX = 100;
/** A label longer than this does not push all texts of its reason to the right. */
const LABEL_COLUMNS_MAX = 32;

/** Writes the answer and its reasons, at most 100 columns wide (longer words stay whole). */
export function renderExplanation(explanation: Explanation, screen: Screen, emit: Emit): void {
  const columns = Math.min(screen.columns ?? COLUMNS_MAX, COLUMNS_MAX);
  for (const line of wrap(printable(renderAnswer(explanation)), columns)) {
    emit(`${screen.paint("title", line)}\n`);
  }
  if (explanation.destination === undefined && explanation.destinations.length > 0) {
    emit("\n");
    renderFacts(outcomeFacts(explanation), { indent: "  ", columns }, screen, emit);
  }
  emit("\n");
  const reasons = reasonsOf(explanation);
  const digits = String(reasons.length).length;
  const indent = " ".repeat(digits + 2);
  for (const [i, { title, facts }] of reasons.entries()) {
    const number = screen.paint("faint", `${pad(String(i + 1), digits, "left")}.`);
    for (const [j, line] of wrap(printable(title), columns - indent.length).entries()) {
      emit(`${j === 0 ? `${number} ` : indent}${screen.paint("title", line)}\n`);
    }
    renderFacts(facts, { indent, columns }, screen, emit);
  }
}

/** Labels in one column, texts wrapped in the next. */
function renderFacts(
  all: readonly Fact[],
  { indent, columns }: { readonly indent: string; readonly columns: number },
  screen: Screen,
  emit: Emit,
): void {
  const facts = all.slice(0, screen.linesMax);
  const labels = facts.map(({ label }) => printable(label));
  const fitting = labels.map(textWidth).filter((width) => width <= LABEL_COLUMNS_MAX);
  const width = Math.max(0, ...fitting);
  const margin = `${indent}${" ".repeat(width)}  `;
  for (const [i, { text, tone }] of facts.entries()) {
    const label = labels[i] as string;
    const painted = tone === undefined ? pad(label, width) : screen.paint(tone, pad(label, width));
    const long = textWidth(label) > width;
    if (long) emit(`${indent}${painted}\n`);
    for (const [j, line] of wrap(printable(text), columns - margin.length).entries()) {
      emit(`${j === 0 && !long ? `${indent}${painted}  ` : margin}${line}`.trimEnd() + "\n");
    }
  }
  if (all.length > facts.length) {
    const rest = `${thousands(all.length - facts.length)} more: -o json shows all`;
    emit(`${indent}${screen.paint("faint", `${screen.glyphs.more} ${rest}`)}\n`);
  }
}

function outcomeFacts(explanation: Explanation): Fact[] {
  const facts = explanation.destinations.map((one): Fact => {
    const { phrase, because } = renderOutcome(explanation, one);
    return {
      label: renderDestination(one.prefix),
      text: one.outcome.kind === "leaves" ? phrase : `${phrase}: ${because}`,
      tone: OUTCOME_TONES[one.outcome.kind],
    };
  });
  const full = explanation.destinations.some(
    ({ outcome }) => outcome.kind === "drop" && outcome.reason === "MapFull",
  );
  // An endpoint that is held may open nothing to the outside, covered or not (rule 8.7).
  return full ? facts : [...facts, { label: "all else", text: ORDINARY, tone: "faint" }];
}

const OUTCOME_TONES: Readonly<Record<Outcome["kind"], Tone>> = {
  untouched: "faint",
  "no-source": "faint",
  ordinary: "warning",
  drop: "error",
  leaves: "good",
};
