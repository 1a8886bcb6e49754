// A document of the JSON interface: a heading and lists that may be long, written piece by piece as
// JSON or YAML. Lists are generated while they are written; nothing holds a document as a whole.

import type { Data } from "../lib/data.ts";
import { blockJson, blockYaml } from "../lib/data.ts";
import type { Emit } from "../lib/screen.ts";
import { API_VERSION } from "./plan.ts";

/** One field of a document; an array of them keeps the fields' order. */
export type Field =
  | { readonly key: string; readonly value: Data }
  | { readonly key: string; readonly list: DataList };

/** The elements of a list in both languages. */
export interface DataList {
  /** Calls `take` with each element's JSON, which has no indentation of its own. */
  eachJson(take: (json: string) => void): void;
  data(): Iterable<Data>;
}

/** A list whose elements are few: JSON is made from their data. */
export function shortList<T>(items: Iterable<T>, toData: (item: T) => Data): DataList {
  return longList(items, { json: (item) => blockJson(toData(item), ELEMENT), data: toData });
}

/** A list of so many elements that each one's line of JSON is put together directly. */
export function longList<T>(items: Iterable<T>, { json, data }: ElementForms<T>): DataList {
  return {
    eachJson(take) {
      for (const item of items) take(json(item));
    },
    *data() {
      for (const item of items) yield data(item);
    },
  };
}

export interface ElementForms<T> {
  readonly json: (item: T) => string;
  /** The same, as data: what `json` must say. */
  readonly data: (item: T) => Data;
}

const ELEMENT = "    ";

export type DocumentFormat = "json" | "yaml";

/** Writes the document with its apiVersion and kind first and a line break at the end. */
export function writeDocument(
  kind: string,
  fields: readonly Field[],
  format: DocumentFormat,
  emit: Emit,
): void {
  const all = [{ key: "apiVersion", value: API_VERSION }, { key: "kind", value: kind }, ...fields];
  if (format === "json") writeJson(all, emit);
  else writeYaml(all, emit);
}

function writeJson(fields: readonly Field[], emit: Emit): void {
  let separator = "{\n";
  for (const field of fields) {
    emit(`${separator}  ${JSON.stringify(field.key)}: `);
    if ("list" in field) writeJsonList(field.list, emit);
    else emit(blockJson(field.value, "  "));
    separator = ",\n";
  }
  emit("\n}\n");
}

function writeJsonList(list: DataList, emit: Emit): void {
  let start = `[\n${ELEMENT}`;
  list.eachJson((json) => {
    emit(start + json);
    start = `,\n${ELEMENT}`;
  });
  emit(start.startsWith("[") ? "[]" : "\n  ]");
}

function writeYaml(fields: readonly Field[], emit: Emit): void {
  for (const field of fields) {
    if ("list" in field) writeYamlList(field.key, field.list, emit);
    else emit(`${blockYaml({ [field.key]: field.value })}\n`);
  }
}

function writeYamlList(key: string, list: DataList, emit: Emit): void {
  emit(`${key}:`);
  let empty = true;
  for (const item of list.data()) {
    emit(`\n- ${blockYaml(item, "  ")}`);
    empty = false;
  }
  emit(empty ? " []\n" : "\n");
}
