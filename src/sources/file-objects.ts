// The objects in one file or stream: text to values to object changes, one after the other.

import { createReadStream } from "node:fs";
import type { Issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import type { Version } from "../model/parse/object.ts";
import { parseObject } from "../model/parse/object.ts";
import type { RawValue } from "./documents.ts";
import { DocumentReader } from "./documents.ts";
import { InputError } from "./input-error.ts";

/** One object of a file. */
export interface FileObject {
  readonly change: ObjectChange;
  readonly version: Version;
}

/** Takes what raw values turn out to be. */
export interface ObjectSink {
  object(object: FileObject): void;
  /** An object of a kind that plays no part here, as in `Deployment`. */
  other(kind: string): void;
  /** Of what is no object; `object` is then `FILE:LINE`. */
  issue(issue: Issue): void;
}

const EXTENSIONS = [".yaml", ".yml", ".json"];
const CHUNK_BYTES = 2 ** 18;

/** True for the names of files that a directory is read for. */
export function isObjectFile(name: string): boolean {
  return EXTENSIONS.some((extension) => name.endsWith(extension));
}

/** Gives every object in a value of `file` to `sink`, those of lists in lists included. */
export function sortRaw(raw: RawValue, file: string, sink: ObjectSink): void {
  // YAML's aliases can put a list into itself, or a thousand times into another.
  const seen = new Set<unknown>();
  const values: Pick<RawValue, "value" | "type">[] = [raw];
  // The array grows while it is read.
  for (const one of values) {
    const parsed = parseObject(one.value, one.type);
    switch (parsed.kind) {
      case "object":
        sink.object({ change: parsed.change, version: parsed.version });
        break;
      case "list":
        if (seen.has(parsed.items)) break;
        seen.add(parsed.items);
        for (const value of parsed.items) values.push({ value, type: parsed.itemType });
        break;
      case "other":
        sink.other(parsed.name);
        break;
      case "invalid":
        for (const issue of parsed.issues) {
          sink.issue({ ...issue, object: `${file}:${raw.line}` });
        }
        break;
    }
  }
}

export interface FileObjects {
  readonly objects: readonly FileObject[];
  /** Of what is no object. */
  readonly issues: readonly Issue[];
}

/** Reads one file whole. Throws InputError for what cannot be read, or is no YAML and no JSON. */
export async function readFileObjects(file: string): Promise<FileObjects> {
  const objects: FileObject[] = [];
  const issues: Issue[] = [];
  const sink: ObjectSink = {
    object: (object) => objects.push(object),
    other: () => undefined,
    issue: (issue) => issues.push(issue),
  };
  const reader = new DocumentReader(file, (raw) => sortRaw(raw, file, sink));
  try {
    for await (const chunk of chunksOf(file)) reader.push(chunk as Uint8Array);
  } catch (error) {
    throw error instanceof InputError ? error : unreadable(file, error);
  }
  reader.end();
  return { objects, issues };
}

/** A file's bytes, in chunks that one after the other are fast to parse. */
export function chunksOf(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: CHUNK_BYTES });
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory; check the path",
  EACCES: "permission denied; check the file's mode",
  EISDIR: "is a directory",
  ENOTDIR: "is not a directory; check the path",
};

/** A refusal of the file system, as input errors say it. */
export function unreadable(path: string, error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`${path}: ${REMEDIES[code ?? ""] ?? message}`);
}
