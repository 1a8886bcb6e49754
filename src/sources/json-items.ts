// Splits a stream of JSON into its values: concatenated ones, one per line, and the elements of a
// List's `items` one by one, so that a list of any length needs little memory. Only finds where
// values begin and end; JSON.parse judges each.

import type { Place } from "./input-error.ts";
import { inputErrorAt } from "./input-error.ts";
import type { ValueSink } from "./value-sink.ts";
import { ByteWindow, checkLength, decode } from "./value-sink.ts";

const LF = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;
const TAB = 9;
const CR = 13;

const ITEMS_KEY = '"items"';

/** Takes over where something begins that is no JSON object or list. */
export type OnOther = (rest: Buffer, line: number) => void;

/** Feed with `push`, then `end`. Throws InputError. */
export class JsonItems {
  readonly #file: string;
  readonly #sink: ValueSink;
  readonly #onOther: OnOther;
  readonly #window = new ByteWindow();

  // Positions are in the bytes of the window.
  /** The next byte to look at. */
  #position = 0;
  #line: number;
  /** How many brackets are open. */
  #depth = 0;
  #inString = false;
  #stringStart = 0;
  /** True after the key `items` of a top-level object. */
  #afterItemsKey = false;
  /** True between the brackets of `items`. */
  #inItems = false;
  #afterComma = false;
  /** Where the value or item that is being read begins: all before it is done with. */
  #start = 0;
  #startLine = 1;
  /** The top-level value up to and with `"items": [`; empty when it is no list. */
  #head = "";
  #headLine = 1;

  constructor(at: Place, sink: ValueSink, onOther: OnOther) {
    this.#file = at.file;
    this.#line = at.line;
    this.#sink = sink;
    this.#onOther = onOther;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#window.extend(chunk);
    const other = this.#scan(bytes);
    if (other) return this.#onOther(bytes.subarray(this.#position), this.#line);
    const from = this.#depth === 0 ? bytes.byteLength : this.#start;
    this.#window.keep(bytes, from);
    this.#position -= from;
    this.#stringStart -= from;
    this.#start -= from;
    checkLength(bytes.byteLength - from, this.#at(this.#startLine));
  }

  end(): void {
    if (this.#depth === 0) return;
    const begun = this.#head === "" ? this.#startLine : this.#headLine;
    const problem = `the JSON value that begins in line ${begun} does not end`;
    throw inputErrorAt(this.#at(this.#line), `${problem}; is the file cut off?`);
  }

  /** Looks at every byte once. True: at the position begins what is no JSON object or list. */
  #scan(bytes: Buffer): boolean {
    // Reading behind the bytes would be harmless, but V8 then reads all of them three times slower.
    const { length } = bytes;
    let position = this.#position;
    if (this.#inString) position = stringEnd(bytes, position) + 1;
    while (position < length) {
      switch (bytes[position++]) {
        case SPACE:
          while (position < length && bytes[position] === SPACE) position++;
          break;
        case LF:
          this.#line++;
          break;
        case TAB:
        case CR:
          break;
        case OPEN_OBJECT:
        case OPEN_LIST:
          this.#open(bytes, position - 1);
          break;
        case QUOTE:
          if (this.#depth === 0) return this.#stopAt(position - 1);
          this.#stringStart = position - 1;
          position = stringEnd(bytes, position) + 1;
          break;
        default:
          if (this.#depth === 0) return this.#stopAt(position - 1);
          this.#inner(bytes, position - 1);
      }
    }
    // A string that has not ended leaves the position behind the bytes.
    this.#inString = position > length;
    this.#position = this.#inString ? position - 1 : position;
    return false;
  }

  #stopAt(position: number): true {
    this.#position = position;
    return true;
  }

  #open(bytes: Buffer, position: number): void {
    if (this.#depth === 0) {
      this.#start = position;
      this.#startLine = this.#line;
    }
    const list = this.#depth === 1 && this.#afterItemsKey && bytes[position] === OPEN_LIST;
    this.#afterItemsKey = false;
    this.#depth++;
    if (list) this.#beginItems(bytes, position + 1);
  }

  /** A byte inside a value. */
  #inner(bytes: Buffer, position: number): void {
    switch (bytes[position]) {
      case COLON:
        if (this.#depth === 1) this.#afterItemsKey = this.#isItemsKey(bytes, position);
        return;
      case COMMA:
        if (!this.#inItems || this.#depth !== 2) return;
        this.#endItem(bytes, position);
        this.#afterComma = true;
        return;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        this.#close(bytes, position);
    }
  }

  #isItemsKey(bytes: Buffer, colon: number): boolean {
    const start = this.#stringStart;
    return bytes.toString("latin1", start, colon).trimEnd() === ITEMS_KEY;
  }

  #close(bytes: Buffer, position: number): void {
    this.#depth--;
    if (this.#inItems && this.#depth === 1) {
      const empty = !this.#afterComma && isBlank(bytes, this.#start, position);
      if (!empty) this.#endItem(bytes, position);
      this.#inItems = false;
      this.#start = position;
      this.#startLine = this.#line;
    }
    if (this.#depth === 0) this.#endValue(bytes, position + 1);
  }

  #beginItems(bytes: Buffer, from: number): void {
    const listed = this.#head !== "";
    const head = this.#head + decode(bytes.subarray(this.#start, from), this.#at(this.#startLine));
    const soFar = parseOrUndefined(`${head}]}`);
    if (soFar === undefined || !this.#sink.beginList(soFar)) return;
    if (!listed) this.#headLine = this.#startLine;
    this.#head = head;
    this.#inItems = true;
    this.#afterComma = false;
    this.#start = from;
    this.#startLine = this.#line;
  }

  #endItem(bytes: Buffer, to: number): void {
    const text = decode(bytes.subarray(this.#start, to), this.#at(this.#startLine));
    const line = this.#startLine + countLines(text, text.search(/\S/));
    this.#sink.item(this.#parse(text), line);
    this.#start = to + 1;
    this.#startLine = this.#line;
  }

  #endValue(bytes: Buffer, to: number): void {
    const text = decode(bytes.subarray(this.#start, to), this.#at(this.#startLine));
    if (this.#head === "") return this.#sink.value(this.#parse(text), this.#startLine);
    const value = this.#parse(text, this.#head);
    this.#head = "";
    this.#sink.endList(value, this.#headLine);
  }

  /** The value of `text`, which begins at `#startLine`; `before` was read earlier. */
  #parse(text: string, before = ""): unknown {
    try {
      return JSON.parse(before + text);
    } catch (error) {
      const { problem, offset } = locate(error as Error, before + text);
      const inText = Math.max(0, offset - before.length);
      const line = this.#startLine + countLines(text, inText);
      const remedy = "correct it, or begin with --- if this is meant to be YAML";
      throw inputErrorAt(this.#at(line), `not JSON: ${problem}; ${remedy}`);
    }
  }

  #at(line: number): Place {
    return { file: this.#file, line };
  }
}

/** Where the string that `from` lies in ends: at its quote, or past the end of the bytes. */
function stringEnd(bytes: Buffer, from: number): number {
  const end = bytes.byteLength;
  let position = from;
  while (position < end) {
    const byte = bytes[position];
    if (byte === QUOTE) break;
    position += byte === BACKSLASH ? 2 : 1;
  }
  return position;
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  return bytes.toString("latin1", from, to).trim() === "";
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whatever is wrong is reported with its line once the whole value has been read.
    return undefined;
  }
}

/** The number of line breaks in the first `length` characters. */
function countLines(text: string, length: number): number {
  let lines = 0;
  for (let i = text.indexOf("\n"); i >= 0 && i < length; i = text.indexOf("\n", i + 1)) lines++;
  return lines;
}

/** How much V8 quotes on either side of a token that it did not expect. */
const EXCERPT_LENGTH = 10;
const POSITION = / in JSON at position (\d+)/;
const EXCERPT = /^(Unexpected token '([^]+?)'), (\.\.\.)?"([^]*)"(\.\.\.)? is not valid JSON$/;

/**
 * What V8 says about bad JSON, and where: either `... in JSON at position 12 (line 1 column 13)`,
 * or `Unexpected token 'x', ..."ten before"x and nine aft"... is not valid JSON`, with dots where
 * it left something out.
 */
function locate({ message }: Error, text: string): { problem: string; offset: number } {
  const position = POSITION.exec(message);
  if (position !== null) {
    return { problem: message.slice(0, position.index), offset: Number(position[1]) };
  }
  const [, problem, token = "", before, quoted = "", after] = EXCERPT.exec(message) ?? [];
  if (problem === undefined) return { problem: message, offset: text.length };
  let place = quoted.lastIndexOf(token);
  if (before !== undefined) place = EXCERPT_LENGTH;
  else if (after !== undefined) place = quoted.length - EXCERPT_LENGTH;
  return { problem, offset: text.indexOf(quoted) + place };
}
