// Splits a stream of YAML into its documents, and long lists into the entries of their `items`, so
// that a list need not be in memory at once; js-yaml parses each piece alone (yaml-text.ts).
//
// Where pieces begin, a few lines of the syntax decide that mean the same wherever they stand:
// `---` and `...` at the start of a line, even inside quotes and literal text (YAML 1.2.2, 9.1.2);
// and, in a document that is a block mapping, a line `items:` with a `- ` on the next one: what
// belongs to an entry is indented by more than its dash. Everything else is left to js-yaml.

import { assert } from "../lib/assert.ts";
import type { Place } from "./input-error.ts";
import { inputErrorAt } from "./input-error.ts";
import type { ValueSink } from "./value-sink.ts";
import { ByteWindow, checkLength, decode } from "./value-sink.ts";
import { pruneYaml } from "./yaml-prune.ts";
import { parseYaml, yamlError } from "./yaml-text.ts";

/**
 * So much of a stream is taken literally: documents are parsed whole, every line of them is
 * checked. A longer stream is a dump written by a machine: its lists are split, and text that
 * nobody reads is left out unchecked.
 */
export const LITERAL_BYTES = 2 ** 20;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;
const DASH = 45;
const DOT = 46;

const PLAIN_KEY = /^[A-Za-z][\w.-]*:[ \r\n]/;
const ITEMS_KEY = /^items: *(#.*)?\r?\n$/;

/** A list that could be split: where its first entry is. */
interface ListStart {
  readonly position: number;
  readonly line: number;
  /** How far the dashes of its entries are indented. */
  readonly indent: number;
}

/** Feed with `push`, then `end`. Throws InputError. */
export class YamlItems {
  readonly #file: string;
  readonly #sink: ValueSink;
  readonly #literalBytes: number;
  readonly #window = new ByteWindow();
  /** Bytes of the stream before the window. */
  #before = 0;

  // Positions are in the bytes of the window.
  /** The line to look at next, and how far its end has been searched for. */
  #position = 0;
  #searched = 0;
  #line: number;
  #state: "document" | "items" | "tail" = "document";
  /** Where the document, the entry of `items` or the text after `items` begins. */
  #start = 0;
  #startLine: number;

  /** What the document is, by its first line that says something. */
  #content: "none" | "mapping" | "other" = "none";
  #contentLine = 1;
  #afterItemsKey = false;
  #list: ListStart | undefined;
  /** The text of a split list before its entries. */
  #head = "";
  #headLine = 1;

  constructor(at: Place, sink: ValueSink, literalBytes = LITERAL_BYTES) {
    this.#file = at.file;
    this.#line = at.line;
    this.#startLine = at.line;
    this.#sink = sink;
    this.#literalBytes = literalBytes;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#window.extend(chunk);
    this.#readLines(bytes, false);
    const from = this.#start;
    this.#window.keep(bytes, from);
    this.#before += from;
    this.#position -= from;
    this.#searched -= from;
    this.#start = 0;
    if (this.#list !== undefined) {
      this.#list = { ...this.#list, position: this.#list.position - from };
    }
    checkLength(bytes.byteLength - from, this.#at(this.#startLine));
  }

  end(): void {
    const bytes = this.#window.extend(Buffer.alloc(0));
    this.#readLines(bytes, true);
    if (this.#state === "document") this.#endDocument(bytes, bytes.byteLength);
    else this.#endList(bytes, bytes.byteLength);
  }

  #readLines(bytes: Buffer, last: boolean): void {
    const { length } = bytes;
    while (this.#position < length) {
      let end = Math.max(this.#position, this.#searched);
      while (end < length && bytes[end] !== LF) end++;
      this.#searched = end;
      if (end === length && !last) return;
      this.#takeLine(bytes, Math.min(end + 1, length));
    }
  }

  /** The line from `#position` to `next`. */
  #takeLine(bytes: Buffer, next: number): void {
    const line = this.#position;
    let first = line;
    while (first < next && bytes[first] === SPACE) first++;
    if (isMarker(bytes, line)) this.#takeMarker(bytes, next);
    else if (!isBlankOrComment(bytes, first)) {
      if (this.#state === "items") this.#takeItemsLine(bytes, first);
      else if (this.#state === "document") this.#takeDocumentLine(bytes, first, next);
    }
    this.#position = next;
    this.#line++;
    if (this.#state === "document" && this.#list !== undefined) {
      if (this.#before + next > this.#literalBytes) this.#splitList(bytes, this.#list);
    }
  }

  #takeMarker(bytes: Buffer, next: number): void {
    const line = this.#position;
    const end = bytes[line] === DOT;
    // The `---` that begins a document belongs to it, with the directives and comments before it.
    const begins = this.#state === "document" && this.#content === "none" && !end;
    if (!begins) {
      const to = end ? next : line;
      if (this.#state === "document") this.#endDocument(bytes, to);
      else this.#endList(bytes, line);
      this.#start = to;
      this.#startLine = end ? this.#line + 1 : this.#line;
    }
    const rest = bytes.toString("latin1", line + 3, next).trim();
    this.#content = end || rest === "" || rest.startsWith("#") ? "none" : "other";
    this.#contentLine = this.#line;
  }

  /** A line of a document that is not split, or not yet. */
  #takeDocumentLine(bytes: Buffer, first: number, next: number): void {
    const indent = first - this.#position;
    const text = indent === 0 ? bytes.toString("latin1", first, next) : "";
    if (this.#content === "none") {
      // Directives stand before a document.
      if (text.startsWith("%")) return;
      this.#content = PLAIN_KEY.test(text) ? "mapping" : "other";
      this.#contentLine = this.#line;
    }
    if (this.#content !== "mapping" || this.#list !== undefined) return;
    if (this.#afterItemsKey && isDash(bytes, first)) {
      this.#list = { position: this.#position, line: this.#line, indent };
    }
    this.#afterItemsKey = ITEMS_KEY.test(text);
  }

  /** Goes back to the first entry, to take the entries one by one. */
  #splitList(bytes: Buffer, { position, line }: ListStart): void {
    const head = decode(bytes.subarray(this.#start, position), this.#at(this.#startLine));
    if (!this.#sink.beginList(this.#parse(head, this.#startLine).at(-1))) {
      this.#content = "other";
      this.#list = undefined;
      return;
    }
    this.#state = "items";
    this.#head = head;
    this.#headLine = this.#startLine;
    this.#start = position;
    this.#startLine = line;
    this.#position = position;
    this.#searched = position;
    this.#line = line;
  }

  /** A line of an entry, or the first one behind it. */
  #takeItemsLine(bytes: Buffer, first: number): void {
    const line = this.#position;
    const indent = first - line;
    const { indent: dashes } = this.#list as ListStart;
    if (indent > dashes || bytes[first] === TAB) return;
    if (indent === dashes && isDash(bytes, first)) {
      if (line > this.#start) this.#endItem(bytes, line);
    } else if (indent === 0) {
      this.#endItem(bytes, line);
      this.#state = "tail";
    } else {
      const problem = "not YAML: bad indentation of a list entry";
      throw inputErrorAt(this.#at(this.#line), `${problem}; indent all entries alike`);
    }
  }

  #endItem(bytes: Buffer, to: number): void {
    const entries = this.#parsePiece(bytes, to).at(0);
    assert(Array.isArray(entries) && entries.length === 1, "a piece of a list is one entry");
    this.#sink.item(entries[0], this.#startLine);
    this.#start = to;
    this.#startLine = this.#line;
  }

  #endList(bytes: Buffer, to: number): void {
    if (this.#state === "items") this.#endItem(bytes, to);
    const tail = decode(bytes.subarray(this.#start, to), this.#at(this.#startLine));
    const head = this.#parse(this.#head + tail, this.#headLine).at(-1);
    this.#sink.endList(head, this.#headLine);
    this.#state = "document";
    this.#list = undefined;
    this.#afterItemsKey = false;
  }

  #endDocument(bytes: Buffer, to: number): void {
    const values = this.#parsePiece(bytes, to);
    for (const value of values) this.#sink.value(value, this.#contentLine);
    this.#list = undefined;
    this.#afterItemsKey = false;
  }

  /** The piece from `#start` to `to`, without what nobody reads if the stream is long. */
  #parsePiece(bytes: Buffer, to: number): unknown[] {
    const piece = bytes.subarray(this.#start, to);
    const text = decode(piece, this.#at(this.#startLine));
    const pruned = this.#before + to > this.#literalBytes ? pruneYaml(piece) : undefined;
    if (pruned !== undefined) {
      try {
        return parseYaml(pruned.toString());
      } catch {
        // Then the whole text tells what is wrong, and in which line.
      }
    }
    return this.#parse(text, this.#startLine);
  }

  #parse(text: string, line: number): unknown[] {
    try {
      return parseYaml(text);
    } catch (error) {
      throw yamlError(error, this.#at(line));
    }
  }

  #at(line: number): Place {
    return { file: this.#file, line };
  }
}

/** `---` or `...`, then a blank or the line's end. */
function isMarker(bytes: Buffer, line: number): boolean {
  const byte = bytes[line];
  if (byte !== DASH && byte !== DOT) return false;
  return bytes[line + 1] === byte && bytes[line + 2] === byte && isBlankOrEnd(bytes[line + 3]);
}

function isDash(bytes: Buffer, first: number): boolean {
  return bytes[first] === DASH && isBlankOrEnd(bytes[first + 1]);
}

function isBlankOrEnd(byte: number | undefined): boolean {
  return byte === undefined || byte === SPACE || byte === TAB || byte === LF || byte === CR;
}

function isBlankOrComment(bytes: Buffer, first: number): boolean {
  const byte = bytes[first];
  return byte === undefined || byte === LF || byte === CR || byte === HASH;
}
