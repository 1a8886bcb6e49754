// Leaves out text of a large dump that no parser reads, before it costs a YAML parser's time: what
// stands below `managedFields:`, `containers:` and the like is most of a Pod. Looks at indentation
// only, and only where that is enough to be sure:
//
// In a block mapping indented by n, a line indented by exactly n is a key of that mapping, a `- ` of
// the key's own list, a comment, or blank: every kind of value, quoted or literal text included,
// must be indented by more (YAML 1.2.2, 6.1 and 8.2). So if the line is `key:` and nothing else, its
// value is all that follows until the next key. The key stays, with no value. Two things could
// still reach from the removed text into the rest: an anchor, so the rest must have no alias, and a
// line break that is a lone carriage return, so there must be none.

const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;
const PERCENT = 37;
const ASTERISK = 42;
const DASH = 45;
const COLON = 58;

/** What is left out, by the top-level field that it stands in. No parser reads these. */
const UNREAD: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["metadata", new Set(["managedFields"])],
  [
    "spec",
    new Set([
      "affinity",
      "containers",
      "ephemeralContainers",
      "initContainers",
      "tolerations",
      "topologySpreadConstraints",
      "volumes",
    ]),
  ],
  [
    "status",
    new Set([
      "conditions",
      "containerStatuses",
      "controllers",
      "ephemeralContainerStatuses",
      "images",
      "initContainerStatuses",
      "log",
      "nodeInfo",
      "policy",
      "volumesAttached",
      "volumesInUse",
    ]),
  ],
]);

const PLAIN_KEY = /^[A-Za-z][\w.-]*:( |\n|$)/;

/**
 * The bytes of one document, or of one list item with its `- `, without text that nobody reads;
 * undefined where nothing can be left out for certain. If `text` is valid YAML, the result parses
 * to the same value, except that the fields in `UNREAD` may be null.
 */
export function pruneYaml(text: Buffer): Buffer | undefined {
  if (text.includes(CR)) return undefined;
  const rest = Buffer.concat(keptRuns(text));
  return rest.length === text.length || rest.includes(ASTERISK) ? undefined : rest;
}

/** The runs of lines that are kept. */
function keptRuns(text: Buffer): Buffer[] {
  const runs: Buffer[] = [];
  let runStart = 0;
  let skipping = false;
  // Indentations of the object's own keys and of those in the section, -1 before the first.
  let outer = -1;
  let inner = -1;
  // What to leave out of the section; undefined: nothing.
  let unread: ReadonlySet<string> | undefined;
  let next = 0;
  for (let line = 0; line < text.length; line = next) {
    let first = line;
    while (text[first] === SPACE) first++;
    next = nextLine(text, first);
    if (isBlankOrComment(text, first)) continue;
    if (skipping) {
      if (first - line > inner || (first - line === inner && isDash(text, first))) continue;
      skipping = false;
      runStart = line;
    }
    if (outer < 0) {
      if (isHeader(text, first)) continue;
      if (isDash(text, first)) first = firstNotBlank(text, first + 1);
      if (!isPlainKey(text, first, next)) break;
      outer = first - line;
    }
    const indent = first - line;
    // Behind the object: another entry of a list, or bad indentation.
    if (indent < outer) break;
    if (indent === outer) {
      unread = UNREAD.get(bareKey(text, first, next));
      inner = -1;
    } else if (unread !== undefined && indent > outer) {
      if (inner < 0 && isPlainKey(text, first, next)) inner = indent;
      if (inner < 0) unread = undefined;
      if (indent !== inner || unread?.has(bareKey(text, first, next)) !== true) continue;
      runs.push(text.subarray(runStart, next));
      skipping = true;
    }
  }
  if (!skipping) runs.push(text.subarray(runStart));
  return runs;
}

/** Where the line after the one with `from` begins, or the end of the text. */
function nextLine(text: Buffer, from: number): number {
  let position = from;
  while (position < text.length && text[position] !== LF) position++;
  return Math.min(position + 1, text.length);
}

function firstNotBlank(text: Buffer, from: number): number {
  let position = from;
  while (text[position] === SPACE) position++;
  return position;
}

function isBlankOrComment(text: Buffer, first: number): boolean {
  return first === text.length || text[first] === LF || text[first] === HASH;
}

/** The `- ` of a list. */
function isDash(text: Buffer, first: number): boolean {
  const after = text[first + 1];
  return text[first] === DASH && (after === SPACE || after === LF || after === undefined);
}

/** A directive, or a `---` with nothing behind it. */
function isHeader(text: Buffer, first: number): boolean {
  if (text[first] === PERCENT) return true;
  return text.toString("latin1", first, first + 4).trimEnd() === "---";
}

function isPlainKey(text: Buffer, first: number, next: number): boolean {
  return PLAIN_KEY.test(text.toString("latin1", first, next));
}

/** The key of a line that is `key:` and nothing else, or empty. */
function bareKey(text: Buffer, first: number, next: number): string {
  const end = text[next - 1] === LF ? next - 1 : next;
  return text[end - 1] !== COLON ? "" : text.toString("latin1", first, end - 1);
}
