// Leaves out text of a large dump that no parser reads, before it costs a YAML parser's time: nine
// tenths of a Pod. Looks at indentation only, and only where that is enough to be sure:
//
// In a block mapping indented by n, a line indented by exactly n is a key of that mapping, a `- `
// of the key's own list, a comment, or blank: every kind of value, quoted or literal text included,
// is indented by more (YAML 1.2.2, 6.1 and 8.2). So if the line starts with a plain `key:`, its
// value is all that follows until the next key, and can go with it. Two things could still reach
// from there into the rest: an anchor, so the rest must have no alias; and a line break that is a
// lone carriage return, so there must be none.

const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;
const PERCENT = 37;
const ASTERISK = 42;
const DASH = 45;
const COLON = 58;
const CLOSING_BRACKET = 93;
const CLOSING_BRACE = 125;

/** The kinds that dumps are full of. Of a policy everything is read: a slip deserves a warning. */
const PRUNED_KIND = /^kind: (Pod|Node|Service|CiliumEndpoint|CiliumNode) *(#.*)?\n$/;

/** What the parsers in model/parse read of these fields of those kinds. */
const READ: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    "metadata",
    new Set([
      "creationTimestamp",
      "generation",
      "labels",
      "name",
      "namespace",
      "ownerReferences",
      "resourceVersion",
      "uid",
    ]),
  ],
  [
    "spec",
    new Set([
      "addresses",
      "clusterIP",
      "clusterIPs",
      "externalIPs",
      "hostNetwork",
      "ipam",
      "nodeName",
      "podCIDR",
      "podCIDRs",
    ]),
  ],
  [
    "status",
    new Set([
      "addresses",
      "identity",
      "loadBalancer",
      "networking",
      "phase",
      "podIP",
      "podIPs",
    ]),
  ],
]);

/** By byte: letters, digits, `-`, `_` and `.` make plain keys. */
const IN_PLAIN_KEY = Array.from({ length: 256 }, (_, byte) => {
  return /[\w.-]/.test(String.fromCharCode(byte));
});

/**
 * The bytes of one document, or of one list item with its `- `, without text that nobody reads;
 * undefined where nothing can be left out for certain. If `text` is valid YAML, the result parses
 * to the same object less some of what is not in `READ`.
 */
export function pruneYaml(text: Buffer): Buffer | undefined {
  if (text.includes(CR)) return undefined;
  const rest = Buffer.concat(keptRuns(text));
  return rest.length === text.length || rest.includes(ASTERISK) ? undefined : rest;
}

/** The runs of lines that are kept: all of them, unless the object says that it is of our kinds. */
function keptRuns(text: Buffer): Buffer[] {
  const runs: Buffer[] = [];
  const { length } = text;
  let runStart = 0;
  let skipping = false;
  // Indentations of the object's own keys and of those in a section; -1 before the first.
  let outer = -1;
  let inner = -1;
  // What to keep of the section; undefined: everything.
  let read: ReadonlySet<string> | undefined;
  let known = false;
  let next = 0;
  for (let line = 0; line < length; line = next) {
    let first = line;
    while (first < length && text[first] === SPACE) first++;
    next = first;
    while (next < length && text[next++] !== LF);
    if (isBlankOrComment(text, first)) continue;
    if (outer < 0) {
      if (isHeader(text, first)) continue;
      if (isDash(text, first)) first = firstNotBlank(text, first + 1);
      if (plainKey(text, first, next) === "") break;
      outer = first - line;
    }
    const indent = first - line;
    if (indent > outer) {
      if (read === undefined) continue;
      if (inner < 0 && plainKey(text, first, next) !== "") inner = indent;
      if (inner < 0) read = undefined;
      if (indent > inner || isDash(text, first)) continue;
    }
    // Not valid there, but the parser lets a flow collection end that far to the left.
    if (text[first] === CLOSING_BRACKET || text[first] === CLOSING_BRACE) return [text];
    const drop = indent === inner && isUnread(plainKey(text, first, next), read);
    if (drop && !skipping) runs.push(text.subarray(runStart, line));
    if (!drop && skipping) runStart = line;
    skipping = drop;
    // Behind the object: another entry of a list, or bad indentation.
    if (indent < outer) break;
    if (indent === outer) {
      const key = plainKey(text, first, next);
      known ||= key === "kind" && PRUNED_KIND.test(text.toString("latin1", first, next));
      read = isBare(key, text, first, next) ? READ.get(key) : undefined;
      inner = -1;
    }
  }
  if (!skipping) runs.push(text.subarray(runStart));
  return known ? runs : [text];
}

function isUnread(key: string, read: ReadonlySet<string> | undefined): boolean {
  return key !== "" && read?.has(key) === false;
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

/** The key that the line begins with, or empty where it is not as plain as `key:`. */
function plainKey(text: Buffer, first: number, next: number): string {
  let end = first;
  while (end < next && IN_PLAIN_KEY[text[end] as number] === true) end++;
  const after = text[end + 1];
  const isKey = text[end] === COLON && (after === SPACE || after === LF || after === undefined);
  return isKey ? text.toString("latin1", first, end) : "";
}

/** True if the line is `key:` and nothing else. */
function isBare(key: string, text: Buffer, first: number, next: number): boolean {
  const end = text[next - 1] === LF ? next - 1 : next;
  return first + key.length + 1 === end;
}
