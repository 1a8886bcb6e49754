// Bytes of YAML or JSON to raw values, one by one and in bounded memory. Which format it is, the
// first bytes say: file names lie, and standard input has none.

import { isMapping } from "../model/parse/fields.ts";
import type { TypeMeta } from "../model/parse/object.ts";
import { isListKind, itemTypeOf, textOf } from "../model/parse/object.ts";
import { InputError, inputErrorAt } from "./input-error.ts";
import { JsonItems } from "./json-items.ts";
import type { ValueSink } from "./value-sink.ts";
import { ByteWindow } from "./value-sink.ts";
import { YamlItems } from "./yaml-items.ts";

/** One document, or one item of a list. */
export interface RawValue {
  readonly value: unknown;
  /** What it is where it does not say so itself, as in a PodList. */
  readonly type: TypeMeta | undefined;
  /** Where it begins, from 1. */
  readonly line: number;
}

export interface DocumentOptions {
  /** See yaml-items.ts. */
  readonly literalBytes?: number;
}

/** A reader of one format. */
interface Reader {
  push(chunk: Uint8Array): void;
  end(): void;
}

const BOM_UTF8 = "efbbbf";
const BOM_BYTES_MAX = 3;
const BOMS_UTF16 = ["fffe", "feff"];
/** JSON objects begin so; in YAML's flow style keys are seldom in quotes. */
const JSON_START = /^\s*\{\s*["}]/;
const NOT_JSON_START = /^\s*(\{\s*[^\s"}]|[^\s{])/;

/**
 * Reads one stream: feed it with `push`, in chunks of any size, then `end`. Gives each value to
 * `emit` as soon as it is known. Throws InputError for what is neither YAML nor JSON.
 */
export class DocumentReader {
  readonly #file: string;
  readonly #sink: ValueSink;
  readonly #options: DocumentOptions;
  readonly #window = new ByteWindow();
  #reader: Reader | undefined;

  constructor(file: string, emit: (raw: RawValue) => void, options: DocumentOptions = {}) {
    this.#file = file;
    this.#sink = new ListJoiner(file, emit);
    this.#options = options;
  }

  push(chunk: Uint8Array): void {
    if (this.#reader !== undefined) return this.#reader.push(chunk);
    const bytes = this.#window.extend(chunk);
    if (!this.#start(bytes, false)) this.#window.keep(bytes, 0);
  }

  end(): void {
    if (this.#reader === undefined) this.#start(this.#window.extend(Buffer.alloc(0)), true);
    this.#reader?.end();
  }

  /** Begins with the right reader as soon as the first bytes tell. */
  #start(bytes: Buffer, last: boolean): boolean {
    if (bytes.byteLength < BOM_BYTES_MAX && !last) return false;
    if (BOMS_UTF16.includes(bytes.toString("hex", 0, 2))) {
      throw new InputError(`${this.#file}: the text is UTF-16; save it as UTF-8`);
    }
    const marked = bytes.toString("hex", 0, BOM_BYTES_MAX) === BOM_UTF8;
    const text = bytes.subarray(marked ? BOM_BYTES_MAX : 0);
    // A byte that is no ASCII is no blank either, however it is decoded.
    const begin = text.toString("latin1", 0, START_BYTES);
    const json = JSON_START.test(begin);
    if (!json && !last && begin.length < START_BYTES && !NOT_JSON_START.test(begin)) return false;
    this.#reader = json
      ? new JsonItems({ file: this.#file, line: 1 }, this.#sink, this.#restAsYaml)
      : this.#yaml(1);
    this.#reader.push(text);
    return true;
  }

  /** What follows JSON and is no JSON is YAML: `---`, or a comment. */
  readonly #restAsYaml = (rest: Buffer, line: number): void => {
    this.#reader = this.#yaml(line);
    this.#reader.push(rest);
  };

  #yaml(line: number): YamlItems {
    return new YamlItems({ file: this.#file, line }, this.#sink, this.#options.literalBytes);
  }
}

/** How far to look for the first bytes that are no blanks; a file of more blanks is YAML. */
const START_BYTES = 4096;

/** A list whose items come one by one. */
interface OpenList {
  /** The type of items that do not say theirs; undefined: they must. */
  readonly type: TypeMeta | undefined;
  /** Items that wait for the list's own kind, which comes after them. */
  readonly waiting: RawValue[] | undefined;
}

/** Gives items the type that their list says they have. */
class ListJoiner implements ValueSink {
  readonly #file: string;
  readonly #emit: (raw: RawValue) => void;
  #list: OpenList = { type: undefined, waiting: undefined };

  constructor(file: string, emit: (raw: RawValue) => void) {
    this.#file = file;
    this.#emit = emit;
  }

  value(value: unknown, line: number): void {
    // An empty document, such as a comment between two `---`.
    if (value === null || value === undefined) return;
    this.#emit({ value, type: undefined, line });
  }

  beginList(head: unknown): boolean {
    if (!isMapping(head)) return false;
    const type = typeOf(head);
    if (!isListKind(type.kind)) return false;
    const known = type.kind !== "" && type.apiVersion !== "";
    this.#list = { type: known ? itemTypeOf(type) : undefined, waiting: known ? undefined : [] };
    return true;
  }

  item(value: unknown, line: number): void {
    const { type, waiting } = this.#list;
    const raw = { value, type, line };
    if (waiting === undefined || !isMapping(value) || saysItsType(value)) this.#emit(raw);
    else waiting.push(raw);
  }

  endList(head: unknown, line: number): void {
    const type = isMapping(head) ? typeOf(head) : { kind: "", apiVersion: "" };
    if (!isListKind(type.kind)) {
      const problem = `a ${type.kind} is no list, but its items were read as one`;
      const remedy = "write its kind before its items";
      throw inputErrorAt({ file: this.#file, line }, `${problem}; ${remedy}`);
    }
    for (const raw of this.#list.waiting ?? []) this.#emit({ ...raw, type: itemTypeOf(type) });
    this.#list = { type: undefined, waiting: undefined };
  }
}

function typeOf(head: Readonly<Record<string, unknown>>): TypeMeta {
  return { kind: textOf(head, "kind") ?? "", apiVersion: textOf(head, "apiVersion") ?? "" };
}

function saysItsType(value: Readonly<Record<string, unknown>>): boolean {
  const { kind, apiVersion } = typeOf(value);
  return kind !== "" && apiVersion !== "";
}
