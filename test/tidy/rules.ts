// The house rules for one file at a time: names, lengths, comments, purity. Each rule takes a file
// and yields what it finds; who imports whom is the business of test/tidy/layers.ts.

import type { Source } from "./source.ts";
import { exportsOf, functionsOf, lineAt } from "./source.ts";

export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  readonly reason: string;
  /** What to do instead. */
  readonly remedy: string;
}

export type RuleFor = (source: Source) => Finding[];

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 100;
/** An exported declaration of so few lines may speak for itself, as the header comment does. */
const OBVIOUS_LINES_MAX = 6;

const PURE = /^src\/(net|model|plan|engine|reconcile)\//;
const MAY_AWAIT = /^src\/(drivers|sources|sinks|status|apps|cli|ui)\//;

/** `file:line: rule, reason, what to do instead`: the form in which findings are printed. */
export function renderFinding({ path, line, rule, reason, remedy }: Finding): string {
  return `${path}:${line}: ${rule}, ${reason}; ${remedy}`;
}

/** A file or folder whose name says nothing collects what has no home. */
export const names: RuleFor = ({ path }) => {
  const vague = /^(?:.*[-_.])?(?:utils?|helpers?|managers?|commons?|services?|misc)$/i;
  const camel = /(?:Utils?|Helpers?|Manager|Common|Service)$/;
  return path
    .split("/")
    .map((part) => part.replace(/(?:\.test)?\.\w+$/, ""))
    .filter((name) => vague.test(name) || camel.test(name))
    .map((name) => ({
      path,
      line: 1,
      rule: "names",
      reason: `${name} says nothing about what is inside`,
      remedy: "name the file after the noun that it defines, the folder after its stage",
    }));
};

/** Files that are read in one go, functions that fit on a screen, lines that fit side by side. */
export const lengths: RuleFor = (source) => {
  const { path, text } = source;
  const lines = text.trimEnd().split("\n");
  const findings: Finding[] = [];
  const found = (line: number, reason: string, remedy: string) =>
    findings.push({ path, line, rule: "lengths", reason, remedy });
  if (lines.length > FILE_LINES_MAX) {
    found(FILE_LINES_MAX + 1, `${lines.length} lines in a file`, "split it by nouns");
  }
  for (const [i, line] of lines.entries()) {
    const columns = [...line].length;
    if (columns > COLUMNS_MAX) found(i + 1, `${columns} columns`, "break the line");
  }
  if (!path.endsWith(".ts")) return findings;
  for (const { name, line, lines: count } of functionsOf(source)) {
    if (count <= FUNCTION_LINES_MAX) continue;
    found(line, `${count} lines in ${name}`, "move its loops and arithmetic into functions");
  }
  return findings;
};

/** A header comment on each file, a docstring on what others are meant to call. */
export const comments: RuleFor = (source) => {
  const { path, text } = source;
  const findings: Finding[] = [];
  const rule = "comments";
  // A unit test beside its file is introduced by that file.
  if (path.startsWith("src/") && path.endsWith(".test.ts")) return findings;
  if (!/^(?:#!.*\n)?(?:\/\/|\/\*|# )/.test(text)) {
    const remedy = "begin with what the file computes and what it leaves to others";
    findings.push({ path, line: 1, rule, reason: "no header comment", remedy });
  }
  if (!path.startsWith("src/")) return findings;
  const exported = exportsOf(source);
  const callable = exported.filter(({ kind }) => kind === "class" || kind.startsWith("function"));
  // The header comment speaks for the type that a file begins with, and for its only function.
  const first = exported.slice(0, 1).filter(({ kind }) => kind === "interface" || kind === "type");
  const headed = new Set(first);
  if (callable.length === 1) headed.add(callable[0] as (typeof callable)[0]);
  for (const one of exported) {
    const { kind, name, line, lines, documented } = one;
    if (documented || headed.has(one) || kind === "const" || lines <= OBVIOUS_LINES_MAX) continue;
    const reason = `no docstring on ${kind} ${name}`;
    findings.push({ path, line, rule, reason, remedy: "say what it means, its units and errors" });
  }
  return findings;
};

const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/(?<![.\w$#])Date\.now\b/g, "reads the clock"],
  [/\bnew Date\(\s*\)/g, "reads the clock"],
  [/(?<![.\w$#])performance\b/g, "reads the clock"],
  [/\bMath\.random\b/g, "is random"],
  [/(?<![.\w$#])crypto\b/g, "is random"],
  [/(?<![.\w$#])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g, "waits"],
  [/(?<![.\w$#])console\b/g, "writes"],
  [/(?<![.\w$#])process\b(?!\s*[:=(])/g, "touches the process"],
  [/(?<![.\w$#])fetch\(/g, "does input and output"],
  [/(?<![.\w$#])Promise\b/g, "is asynchronous"],
];

/** The middle of the program is a function of its input. */
export const purity: RuleFor = ({ path, code }) => {
  if (!PURE.test(path) || path.endsWith(".test.ts")) return [];
  const remedy = "take the fact as an argument; sources, sinks and apps talk to the world";
  return IMPURE.flatMap(([pattern, what]) =>
    [...code.matchAll(pattern)].map(({ 0: word, index }) => {
      const reason = `${word.trim()} ${what}`;
      return { path, line: lineAt(code, index), rule: "purity", reason, remedy };
    }),
  );
};

/** Waiting happens at the edges: an event enqueues, a turn acts and awaits nothing. */
export const waiting: RuleFor = ({ path, code }) => {
  if (!path.startsWith("src/") || MAY_AWAIT.test(path) || path.endsWith(".test.ts")) return [];
  return [...code.matchAll(/(?<![.\w$#])(?:async|await)\b/g)].map(({ 0: word, index }) => ({
    path,
    line: lineAt(code, index),
    rule: "waiting",
    reason: `${word} outside of drivers, sources, sinks, status, apps and cli`,
    remedy: "let an edge wait and pass the result on",
  }));
};

// Written in pieces, so that this file does not break its own rule.
const LEFT_BEHIND = new RegExp(["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|"), "g");
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w.])\/(?:home|Users|root)\/[\w.-]+/g, "a path of somebody's machine"],
  [/\b(?:registry|proxy)\.[\w-]+\.(?:org|com)\b/g, "a download address"],
  [/https?:\/\/(?:[\w-]+\.)*(?:npmjs|npmmirror|pypi|pythonhosted)\.\w+/g, "a download address"],
];

/** Nothing unfinished, and nothing that is only true on the machine where it was written. */
export const leftovers: RuleFor = ({ path, text }) => {
  const report = (pattern: RegExp, reason: string, remedy: string) =>
    [...text.matchAll(pattern)].map(({ 0: word, index }) => {
      const line = lineAt(text, index);
      return { path, line, rule: "leftovers", reason: `${word}: ${reason}`, remedy };
    });
  return [
    ...report(LEFT_BEHIND, "unfinished", "finish it, or open an issue and leave no mark here"),
    ...PLACES.flatMap(([pattern, what]) => report(pattern, what, "name no place of one machine")),
  ];
};

/** What holds for TypeScript, for scripts and for every other text. */
export const RULES = {
  typescript: [names, lengths, comments, purity, waiting, leftovers],
  script: [names, lengths, comments, leftovers],
  text: [leftovers],
} as const satisfies Record<string, readonly RuleFor[]>;
