// Reads files, directories and standard input to object changes: the input of every offline
// command.

import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { compareBytes } from "../lib/order.ts";
import type { Issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import { parseObject } from "../model/parse/object.ts";
import { DocumentReader } from "./documents.ts";
import type { RawValue } from "./documents.ts";
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
const EXTENSIONS = [".yaml", ".yml", ".json"];
const CHUNK_BYTES = 2 ** 18;

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
    const reader = new DocumentReader(name, (raw) => input.add(raw, name));
    for await (const chunk of chunksOf(file, options)) {
      reader.push(chunk);
      bytes += chunk.byteLength;
      options.onProgress?.({ bytes, objects: input.objects });
    }
    reader.end();
  }
  return input.build();
}

/** Collects what raw values turn out to be. */
class InputBuilder {
  objects = 0;
  readonly #versions = new NewestVersions();
  readonly #skipped = new Map<string, number>();
  readonly #issues: Issue[] = [];

  add(raw: RawValue, file: string): void {
    // YAML's aliases can put a list into itself, or a thousand times into another.
    const seen = new Set<unknown>();
    const values: Pick<RawValue, "value" | "type">[] = [raw];
    // The array grows while it is read.
    for (const one of values) {
      const parsed = parseObject(one.value, one.type);
      switch (parsed.kind) {
        case "object":
          this.objects++;
          this.#versions.add(parsed.change, parsed.version);
          break;
        case "list":
          if (seen.has(parsed.items)) break;
          seen.add(parsed.items);
          for (const value of parsed.items) values.push({ value, type: parsed.itemType });
          break;
        case "other":
          this.objects++;
          this.#skipped.set(parsed.name, (this.#skipped.get(parsed.name) ?? 0) + 1);
          break;
        case "invalid":
          for (const issue of parsed.issues) {
            this.#issues.push({ ...issue, object: `${file}:${raw.line}` });
          }
          break;
      }
    }
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
    if (!EXTENSIONS.some((extension) => name.endsWith(extension))) continue;
    const file = join(path, name);
    if (!(await attempt(file, () => stat(file))).isDirectory()) files.push(file);
  }
  if (files.length > 0) return files;
  const problem = "the directory has no *.yaml, *.yml or *.json file";
  throw new InputError(`${path}: ${problem}; check the path`);
}

async function* chunksOf(
  file: string,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream =
    file === STDIN
      ? (options.stdin ?? process.stdin)
      : createReadStream(file, { highWaterMark: CHUNK_BYTES });
  try {
    yield* stream;
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

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory; check the path",
  EACCES: "permission denied; check the file's mode",
  EISDIR: "is a directory",
};

function unreadable(path: string, error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`${path}: ${REMEDIES[code ?? ""] ?? message}`);
}
