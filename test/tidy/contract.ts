// The contract in docs/semantics.md against the tests and the code: which rules there are, which
// are built, and who names them.

import type { Finding } from "./rules.ts";
import type { Source } from "./source.ts";
import { lineAt } from "./source.ts";

export interface ContractRule {
  /** As in `5.3`. */
  readonly id: string;
  readonly state: "built" | "planned";
  readonly line: number;
}

export interface Mention {
  readonly id: string;
  readonly path: string;
  readonly line: number;
}

const REMEDY = "see docs/semantics.md, where each rule stands once with its number and state";

/** The rules as docs/semantics.md introduces them: `**5.3** \`built\``. */
export function rulesOf({ text }: Source): ContractRule[] {
  return [...text.matchAll(/\*\*(\d+\.\d+)\*\* `(built|planned)`/g)].map((match) => ({
    id: match[1] as string,
    state: match[2] as ContractRule["state"],
    line: lineAt(text, match.index),
  }));
}

/** Rules named in the titles of tests and stories: `[5.3]` or `[5.1, 7.6]`. */
export function titlesOf(sources: Iterable<Source>): Mention[] {
  return [...sources].flatMap((source) => {
    if (source.path.endsWith(".test.ts")) return mentions(source, literals(source));
    if (source.path.endsWith(".txtar")) return mentions(source, heading(source.text));
    return [];
  });
}

/** Rules named in comments and messages of the program: `(rule 5.8)`, `rules 3.1 and 3.2`. */
export function citationsOf(sources: Iterable<Source>): Mention[] {
  return [...sources].flatMap(({ path, text }) =>
    path.startsWith("src/")
      ? [...text.matchAll(/\brules?\s(?:[/* ]*)((?:\d+\.\d+(?:, | and | to )?)+)/gi)].flatMap(
          ({ 1: ids = "", index }) => numbers(ids, path, lineAt(text, index)),
        )
      : [],
  );
}

/** The text in which everything but the contents of strings is blank. */
function literals({ text, code }: Source): string {
  const comments = /^[^\S\n]*(?:\/\/|\/?\*).*$/gm;
  const uncommented = text.replace(comments, (comment) => " ".repeat(comment.length));
  let out = "";
  for (let i = 0; i < text.length; i++) out += code[i] === " " ? uncommented[i] : " ";
  return out;
}

/** The comment with which a story begins. */
function heading(text: string): string {
  return /^(?:#.*\n)*/.exec(text)?.[0] ?? "";
}

function mentions({ path, text }: Source, within: string): Mention[] {
  return [...within.matchAll(/\[(\d+\.\d+(?:, *\d+\.\d+)*)\]/g)].flatMap(
    ({ 1: ids = "", index }) => numbers(ids, path, lineAt(text, index)),
  );
}

function numbers(ids: string, path: string, line: number): Mention[] {
  return [...ids.matchAll(/\d+\.\d+/g)].map(({ 0: id }) => ({ id, path, line }));
}

/** The rules of a section count from 1 without gaps, and the sections do. */
export function numbering(document: Source, rules: readonly ContractRule[]): Finding[] {
  let expected = "1.1";
  return rules.flatMap(({ id, line }) => {
    const [section = 0, place = 0] = id.split(".").map(Number);
    const first = `${Number(expected.split(".")[0]) + 1}.1`;
    const right = id === expected || (id === first && expected !== "1.1");
    const reason = `rule ${id} stands where ${expected} or ${first} should`;
    expected = `${section}.${place + 1}`;
    const { path } = document;
    return right ? [] : [{ path, line, rule: "contract", reason, remedy: REMEDY }];
  });
}

/** Every rule that is built is named by a test; every rule that is named exists. */
export function coverage(
  document: Source,
  named: { readonly titles: readonly Mention[]; readonly citations: readonly Mention[] },
): Finding[] {
  const rules = rulesOf(document);
  const known = new Set(rules.map(({ id }) => id));
  const tested = new Set(named.titles.map(({ id }) => id));
  const rule = "contract";
  const untested = rules.filter(({ id, state }) => state === "built" && !tested.has(id));
  const unknown = [...named.titles, ...named.citations].filter(({ id }) => !known.has(id));
  return [
    ...untested.map(({ id, line }) => ({
      path: document.path,
      line,
      rule,
      reason: `no test names the built rule ${id}`,
      remedy: `write a test or story with [${id}] in its title`,
    })),
    ...unknown.map(({ id, path, line }) => {
      return { path, line, rule, reason: `there is no rule ${id}`, remedy: REMEDY };
    }),
  ];
}
