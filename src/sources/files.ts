// Reads files, directories and standard input to object changes: the input of every offline
// command.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
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
  for (const file of (await Promise.all(paths.map(filesAt))).flat()) {
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
  readonly #issues: Issue[] = [];

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
      issues: [...this.#issues, ...this.#versions.issues()],
    };
  }
}

/** The files that a path stands for. */
async function filesAt(path: string): Promise<string[]> {
  if (path === STDIN) return [STDIN];
  const found = await attempt(path, () => stat(path));
  if (!found.isDirectory()) return [path];
  const names = await attempt(path, () => readdir(path));
  const files: string[] = [];
  for (const name of names.sort(compareBytes)) {
    if (!isObjectFile(name)) continue;
    const file = join(path, name);
    if (!(await attempt(file, () => stat(file))).isDirectory()) files.push(file);
  }
  if (files.length > 0) return files;
  const problem = "the directory has no *.yaml, *.yml or *.json file";
  throw new InputError(`${path}: ${problem}; check the path`);
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
