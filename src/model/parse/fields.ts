// Reads the fields of a raw object, whatever it is made of, and collects what is wrong with them.
// Nothing here throws on any value. `null` and absent are the same. Paths are spelled out only when
// an issue is made: 100,000 good Pods must not pay for them.

import type { Issue, IssueCode } from "../issue.ts";
import { issue } from "../issue.ts";
import { closest, show } from "./wording.ts";

type Mapping = Readonly<Record<string, unknown>>;

const NOTHING: Mapping = Object.freeze(Object.create(null) as Mapping);
const NO_ITEMS: readonly never[] = Object.freeze([]);
const NO_ISSUES: readonly Issue[] = Object.freeze([]);
const PLAIN_KEY = /^[A-Za-z0-9_-]+$/;

/** True for what a JSON or YAML mapping parses to; not for lists, Dates and the like. */
export function isMapping(value: unknown): value is Mapping {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

interface Note {
  readonly code: IssueCode;
  readonly path: string;
  readonly message: string;
}

/** What is wrong with one object, before it is known what the object is called. */
class Notes {
  list: Note[] | undefined;

  add(note: Note): void {
    this.list ??= [];
    this.list.push(note);
  }
}

/** The fields of one mapping of a raw object, at its path. */
export class Fields {
  readonly #notes: Notes;
  readonly #values: Mapping;
  readonly #parent: Fields | undefined;
  readonly #key: string;
  /** The place in the parent's list `#key`, or -1. */
  readonly #index: number;

  private constructor(
    notes: Notes,
    values: Mapping,
    parent: Fields | undefined,
    key: string,
    index: number,
  ) {
    this.#notes = notes;
    this.#values = values;
    this.#parent = parent;
    this.#key = key;
    this.#index = index;
  }

  /** The top of a raw object. */
  static of(values: Mapping): Fields {
    return new Fields(new Notes(), values, undefined, "", -1);
  }

  /** The same fields with their problems kept apart, for a look that must not count. */
  apart(): Fields {
    return new Fields(new Notes(), this.#values, this.#parent, this.#key, this.#index);
  }

  /** Every issue noted so far in the whole object. */
  issues(object: string): readonly Issue[] {
    const { list } = this.#notes;
    if (list === undefined) return NO_ISSUES;
    return list.map(({ code, path, message }) => issue(code, { object, path }, message));
  }

  /** How many issues were noted so far in the whole object. */
  get noted(): number {
    return this.#notes.list?.length ?? 0;
  }

  /** Notes an issue at this mapping, at its field `key`, or at the field's element `index`. */
  note(code: IssueCode, message: string, key = "", index = -1): void {
    this.#notes.add({ code, path: this.#path(key, index), message });
  }

  /** True if the field is there and not null. */
  has(key: string): boolean {
    return this.#value(key) !== undefined;
  }

  /** The names of all fields, null ones too, in the order written. */
  keys(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** The field's text, or empty when absent. */
  string(key: string): string {
    const value = this.#value(key);
    if (value === undefined) return "";
    return this.#string(value, key, -1) ?? "";
  }

  boolean(key: string): boolean {
    const value = this.#value(key);
    if (value === undefined) return false;
    if (typeof value === "boolean") return value;
    this.note("InvalidField", `must be true or false, not ${show(value)}`, key);
    return false;
  }

  /** The field's integer, or undefined when absent. */
  integer(key: string): number | undefined {
    const value = this.#value(key);
    if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
    this.note("InvalidField", `must be an integer, not ${show(value)}`, key);
    return undefined;
  }

  /** A non-negative number, also one in quotes; -1 for anything else, without an issue. */
  number(key: string): number {
    const value = this.#value(key);
    const number = typeof value === "string" && value !== "" ? Number(value) : value;
    return typeof number === "number" && number >= 0 ? number : -1;
  }

  /** The mapping in the field; one without fields when absent. */
  fields(key: string): Fields {
    return new Fields(this.#notes, this.#mapping(this.#value(key), key, -1), this, key, -1);
  }

  /** The mappings in the field's list; none when absent. A null among them has no fields. */
  each(key: string): readonly Fields[] {
    const list = this.#list(key);
    if (list.length === 0) return NO_ITEMS;
    const all: Fields[] = [];
    for (let index = 0; index < list.length; index++) {
      const values = this.#mapping(list[index] ?? undefined, key, index);
      all.push(new Fields(this.#notes, values, this, key, index));
    }
    return all;
  }

  /** How long the field's list is, whatever it holds; 0 when it is absent or no list. */
  length(key: string): number {
    const value = this.#value(key);
    return Array.isArray(value) ? value.length : 0;
  }

  /** The texts in the field's list, with their places; what is not text is noted and left out. */
  strings(key: string): readonly { readonly text: string; readonly index: number }[] {
    const list = this.#list(key);
    if (list.length === 0) return NO_ITEMS;
    const texts: { text: string; index: number }[] = [];
    for (let index = 0; index < list.length; index++) {
      const text = this.#string(list[index], key, index);
      if (text !== undefined) texts.push({ text, index });
    }
    return texts;
  }

  /** The keys and texts of a mapping; what is not text is noted and left out. */
  stringMap(key: string): [string, string][] {
    const value = this.#value(key);
    if (value === undefined) return [];
    const inner = this.fields(key);
    const pairs: [string, string][] = [];
    for (const name of inner.keys()) {
      const text = inner.#string(inner.#values[name], name, -1);
      if (text !== undefined) pairs.push([name, text]);
    }
    return pairs;
  }

  /** Warns of fields that are not in `known`, with the name that was probably meant. */
  expectOnly(known: readonly string[]): void {
    for (const key of this.keys()) {
      if (known.includes(key)) continue;
      const meant = closest(key, known);
      const remedy = meant === undefined ? `known are ${known.join(", ")}` : `write ${meant}`;
      this.note("UnknownField", `${show(key)} is ignored; ${remedy}`, key);
    }
  }

  #value(key: string): unknown {
    // Nobody asks for a name that Object.prototype has, so inherited ones need no check.
    return this.#values[key] ?? undefined;
  }

  #string(value: unknown, key: string, index: number): string | undefined {
    if (typeof value === "string") return value;
    let remedy = typeof value === "number" ? `; quote it: ${show(String(value))}` : "";
    // YAML has eleven words for each.
    if (typeof value === "boolean") remedy = '; quote the word, as in "yes" or "true"';
    this.note("InvalidField", `must be text, not ${show(value)}${remedy}`, key, index);
    return undefined;
  }

  #mapping(value: unknown, key: string, index: number): Mapping {
    if (value === undefined) return NOTHING;
    if (isMapping(value)) return value;
    this.note("InvalidField", `must be a mapping, not ${show(value)}`, key, index);
    return NOTHING;
  }

  #list(key: string): readonly unknown[] {
    const value = this.#value(key);
    if (value === undefined) return NO_ITEMS;
    if (Array.isArray(value)) return value;
    this.note("InvalidField", `must be a list, not ${show(value)}`, key);
    return NO_ITEMS;
  }

  #path(key: string, index: number): string {
    const own = this.#parent === undefined ? "" : this.#parent.#path(this.#key, this.#index);
    if (key === "") return own;
    const place = index < 0 ? "" : `[${index}]`;
    if (!PLAIN_KEY.test(key)) return `${own}[${JSON.stringify(key)}]${place}`;
    return `${own === "" ? "" : `${own}.`}${key}${place}`;
  }
}
