// A source file as the rules of test/tidy see it: its text, its code without comments and string
// contents, its imports, functions and exports. A scanner of a few dozen lines, not a parser: types
// are taken away by Node's own stripper, and the rest is found by counting brackets.

import { stripTypeScriptTypes } from "node:module";

/** A place on which a rule can report. */
export interface Place {
  /** From 1. */
  readonly line: number;
}

export interface Import extends Place {
  readonly specifier: string;
  /** `import type`: nothing is loaded when the program runs. */
  readonly typeOnly: boolean;
  /** `import("...")`: loaded when it is called. */
  readonly dynamic: boolean;
}

export interface Span extends Place {
  readonly name: string;
  readonly lines: number;
}

export interface Export extends Span {
  readonly kind: string;
  /** A docstring stands above it, or inside it on a member. */
  readonly documented: boolean;
}

export interface Source {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text in which comments and the contents of strings and regular expressions are blank. */
  readonly code: string;
}

export function makeSource(path: string, text: string): Source {
  return { path, text, code: maskLiterals(text) };
}

const REGEX_MAY_FOLLOW = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of))\s*$/;

/** Blanks comments and the contents of strings, templates and regular expressions; lines stay. */
export function maskLiterals(text: string): string {
  let out = "";
  let at = 0;
  /** For each open `${`: how many braces are open inside it. */
  const templates: number[] = [];
  const blank = (end: number) => {
    out += text.slice(at, end).replace(/[^\n]/g, " ");
    at = end;
  };
  const blankInside = (end: number) => {
    out += text[at++];
    blank(Math.max(at, end - 1));
    if (at < end) out += text[at++];
  };
  while (at < text.length) {
    const rest = text[at] as string;
    const depth = templates.at(-1);
    if (text.startsWith("//", at)) blank(endOf(text, at, /\n|$/g, 0));
    else if (text.startsWith("/*", at)) blank(endOf(text, at + 2, /\*\/|$/g));
    else if (rest === '"' || rest === "'") blankInside(endOfQuoted(text, at, rest));
    else if (rest === "`" || (rest === "}" && depth === 0)) {
      if (rest === "}") templates.pop();
      const end = endOfTemplate(text, at + 1);
      if (text[end - 1] === "{") templates.push(0);
      blankInside(end);
    } else if (rest === "/" && REGEX_MAY_FOLLOW.test(out.slice(-20))) {
      blankInside(endOfRegex(text, at));
    } else {
      if (depth !== undefined && rest === "{") templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && rest === "}") templates[templates.length - 1] = depth - 1;
      out += rest;
      at++;
    }
  }
  return out;
}

/** The end of the first match of `pattern` (global) from `from`, or its start with `take` 0. */
function endOf(text: string, from: number, pattern: RegExp, take = 1): number {
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match === null ? text.length : match.index + take * match[0].length;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  return endOf(text, start + 1, quote === '"' ? /(?:\\.|[^"\\\n])*"?/g : /(?:\\.|[^'\\\n])*'?/g);
}

function endOfTemplate(text: string, from: number): number {
  return endOf(text, from, /(?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{)?/g);
}

function endOfRegex(text: string, start: number): number {
  return endOf(text, start + 1, /(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\/?/g);
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

/** Every import and re-export, types included. */
export function importsOf({ text, code }: Source): Import[] {
  const from = /\b(?:import|export)\b([^"'`;()=]*?)\bfrom\s*(["'])\s*\2/g;
  const bare = /\bimport\s*(\(?)\s*(["'])\s*\2/g;
  const matches = [...code.matchAll(from), ...code.matchAll(bare)];
  return matches.map(({ 0: statement, 1: words = "", index }) => ({
    line: lineAt(text, index),
    specifier: text.slice(index + statement.search(/["']/) + 1, index + statement.length - 1),
    typeOnly: /^\s+type\s+[\w*{]/.test(words) && !/^\s+type\s+from/.test(words),
    dynamic: words === "(",
  }));
}

const CONTROL = new Set(["if", "for", "while", "switch", "catch", "with"]);

/** Every function with a body, from its name or its parameters to the closing brace. */
export function functionsOf({ text }: Source): Span[] {
  // Without types, a body is a brace after `)` or `=>`, and nothing else is.
  const code = maskLiterals(stripTypeScriptTypes(text));
  const partner = pairs(code);
  const found: Span[] = [];
  for (let at = code.indexOf("{"); at >= 0; at = code.indexOf("{", at + 1)) {
    const before = code.slice(0, at).trimEnd();
    const arrow = before.endsWith("=>");
    const head = arrow ? before.slice(0, -2).trimEnd() : before;
    if (!arrow && !head.endsWith(")")) continue;
    const start = head.endsWith(")") ? (partner.get(head.length - 1) ?? 0) : head.length - 1;
    const name = /([#\w$]+)\s*$/.exec(code.slice(0, start))?.[1] ?? "";
    if (!arrow && (CONTROL.has(name) || /\bfor\s+await\s*$/.test(code.slice(0, start)))) continue;
    // The body of a group of tests is a list of tests, each of which is measured.
    if (arrow && /\bdescribe\(\s*(["'`])\s*\1,\s*$/.test(code.slice(0, start))) continue;
    const line = lineAt(code, start);
    const lines = lineAt(code, partner.get(at) ?? code.length) - line + 1;
    found.push({ name: arrow ? "arrow function" : name, line, lines });
  }
  return found;
}

/** Opening bracket <-> closing bracket, by offset. */
function pairs(code: string): Map<number, number> {
  const partner = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: bracket, index } of code.matchAll(/[(){}[\]]/g)) {
    if ("({[".includes(bracket)) open.push(index);
    else {
      const start = open.pop();
      if (start === undefined) continue;
      partner.set(start, index);
      partner.set(index, start);
    }
  }
  return partner;
}

/** Every declaration that is exported where it stands. */
export function exportsOf({ text, code }: Source): Export[] {
  const declaration =
    /^export (?:abstract |async )?(function\*?|class|interface|type|const) ([\w$]+)/gm;
  return [...code.matchAll(declaration)].map(({ 1: kind = "", 2: name = "", index }) => {
    const end = endOfDeclaration(code, index, kind);
    const above = text.slice(0, index);
    const comment = above.lastIndexOf("/**");
    const stands = comment >= 0 && /^\/\*\*(?:(?!\*\/)[^])*\*\/\s*$/.test(above.slice(comment));
    const members = kind !== "const" && !kind.startsWith("function");
    const documented = stands || (members && /^\s+\/\*\*/m.test(text.slice(index, end)));
    const line = lineAt(text, index);
    return { kind, name, line, lines: lineAt(text, end) - line + 1, documented };
  });
}

/** The offset of the closing brace of a function, class or interface, or else of the semicolon. */
function endOfDeclaration(code: string, start: number, kind: string): number {
  const semicolon = kind === "const" || kind === "type";
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    const character = code[at] as string;
    if ("({[".includes(character)) depth++;
    else if (")}]".includes(character)) depth--;
    if (depth > 0) continue;
    if (semicolon ? character === ";" : character === "}" && code[at + 1] === "\n") return at;
  }
  return code.length;
}
