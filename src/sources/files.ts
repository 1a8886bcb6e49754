// Reads files, directories and standard input to object changes: the input of every offline
// command.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { compareBytes } from "../lib/order.ts";
import type { Issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import { DocumentReader } from "./documents.ts";
import type { FileObject, ObjectSink } from "./file-objects.ts";
import { chunksOf, isObjectFile, sortRaw, unreadable } from "./file-objects.ts";
import { InputError } from "./input-error.ts";
import { NewestVersions } from "./newest.ts";

export { InputError } from "./input-error.ts";

export interface Input {
  /** One for each object. */
  readonly changes: ObjectChange[];
  /** How many objects of other kinds were passed over, by kind, sorted. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Directories in the directories that were read, which are not gone into: names, by path. */
  readonly passedOver: ReadonlyMap<string, readonly string[]>;
  /** Of what is no object (`object` is then `FILE:LINE`), and of duplicates. */
  readonly issues: Issue[];
}

export interface Progress {
  readonly bytes: number;
  readonly objects: number;
}

export interface ReadOptions {
  /** For the path `-`; the process's own when absent. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Called after each chunk. */
  readonly onProgress?: (progress: Progress) => void;
}

const STDIN = "-";

/**
 * Reads everything at `paths`: files, directories (their *.yaml, *.yml and *.json, not deeper), and
 * `-` for standard input. Throws InputError for what cannot be read or is neither YAML nor JSON.
 */
export async function readInput(
  paths: readonly string[],
  options: ReadOptions = {},
): Promise<Input> {
  if (paths.filter((path) => path === STDIN).length > 1) {
    throw new InputError("- is given twice; standard input can be read only once");
  }
  const input = new InputBuilder();
  let bytes = 0;
  const places = await Promise.all(paths.map(filesAt));
  const named = new Set(paths.map((path) => resolve(path)));
  for (const [i, { inner }] of places.entries()) {
    const path = paths[i] as string;
    input.passOver(path, inner.filter((name) => !named.has(resolve(path, name))));
  }
  for (const file of places.flatMap(({ files }) => files)) {
    const name = file === STDIN ? "standard input" : file;
    const reader = new DocumentReader(name, (raw) => sortRaw(raw, name, input));
    for await (const chunk of streamOf(file, options)) {
      reader.push(chunk);
      bytes += chunk.byteLength;
      options.onProgress?.({ bytes, objects: input.objects });
    }
    reader.end();
  }
  return input.build();
}

/** Collects what raw values turn out to be. */
class InputBuilder implements ObjectSink {
  objects = 0;
  readonly #versions = new NewestVersions();
  readonly #skipped = new Map<string, number>();
  readonly #passedOver = new Map<string, readonly string[]>();
  readonly #issues: Issue[] = [];

  passOver(path: string, inner: readonly string[]): void {
    if (inner.length > 0) this.#passedOver.set(path, inner);
  }

  object({ change, version }: FileObject): void {
    this.objects++;
    this.#versions.add(change, version);
  }

  other(kind: string): void {
    this.objects++;
    this.#skipped.set(kind, (this.#skipped.get(kind) ?? 0) + 1);
  }

  issue(issue: Issue): void {
    this.#issues.push(issue);
  }

  build(): Input {
    const skipped = [...this.#skipped].sort((a, b) => compareBytes(a[0], b[0]));
    return {
      changes: this.#versions.changes(),
      skipped: new Map(skipped),
      passedOver: this.#passedOver,
      issues: [...this.#issues, ...this.#versions.issues()],
    };
  }
}

interface FilesAt {
  readonly files: readonly string[];
  /** Directories in it, those that are hidden or a volume's (`..data`) left out. */
  readonly inner: readonly string[];
}

/** The files that a path stands for. */
async function filesAt(path: string): Promise<FilesAt> {
  if (path === STDIN) return { files: [STDIN], inner: [] };
  const found = await attempt(path, () => stat(path));
  if (!found.isDirectory()) return { files: [path], inner: [] };
  const names = await attempt(path, () => readdir(path));
  const files: string[] = [];
  const inner: string[] = [];
  for (const name of names.sort(compareBytes)) {
    const file = join(path, name);
    if (await isDirectory(file, name)) inner.push(name);
    else if (isObjectFile(name)) files.push(file);
  }
  const shown = inner.filter((name) => !name.startsWith("."));
  if (files.length > 0) return { files, inner: shown };
  const problem = "the directory has no *.yaml, *.yml or *.json file";
  const remedy = shown.length === 0 ? "check the path" : `name those in it: ${shown.join(", ")}`;
  throw new InputError(`${path}: ${problem}; ${remedy}`);
}

/** What is not read anyway may be a link to nowhere. */
async function isDirectory(file: string, name: string): Promise<boolean> {
  if (isObjectFile(name)) return (await attempt(file, () => stat(file))).isDirectory();
  return (await stat(file).catch(() => undefined))?.isDirectory() ?? false;
}

async function* streamOf(
  file: string,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* file === STDIN ? (options.stdin ?? process.stdin) : chunksOf(file);
  } catch (error) {
    throw unreadable(file === STDIN ? "standard input" : file, error);
  }
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw unreadable(path, error);
  }
}
