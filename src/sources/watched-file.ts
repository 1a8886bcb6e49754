// What is in force of one watched file: its objects, read anew when it changed. What it said before
// stays where it is half written, unreadable or empty.

import { stat } from "node:fs/promises";
import type { Issue } from "../model/issue.ts";
import { issue } from "../model/issue.ts";
import type { FileObject, FileObjects } from "./file-objects.ts";
import { readFileObjects, unreadable } from "./file-objects.ts";
import { InputError } from "./input-error.ts";

/** Tells one content of a path from the next. */
export interface Stamp {
  readonly inode: bigint;
  readonly mtimeNs: bigint;
  readonly size: bigint;
  readonly directory: boolean;
}

export interface FileVersion {
  readonly stamp: Stamp;
  readonly objects: readonly FileObject[];
  readonly issues: readonly Issue[];
}

/** The stamp of what is at `path`, links followed. Throws InputError. */
export async function stampOf(path: string): Promise<Stamp> {
  try {
    const found = await stat(path, { bigint: true });
    const { ino, mtimeNs, size } = found;
    return { inode: ino, mtimeNs, size, directory: found.isDirectory() };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * The file at its `stamp`. What cannot be read keeps the objects of `before` and has an issue; read
 * again when the stamp is another one.
 */
export async function readVersion(
  file: string,
  { stamp, before }: { readonly stamp: Stamp; readonly before: FileVersion | undefined },
): Promise<FileVersion> {
  const kept = before?.objects ?? [];
  if (stamp.size === 0n && kept.length > 0) {
    const message = "the file is empty; remove it if its objects are to go";
    return { stamp, objects: kept, issues: [problem({ object: file, message }, kept)] };
  }
  try {
    const read = await readFileObjects(file);
    const objects = read.issues.length === 0 ? read.objects : withAbsent(read, kept);
    return { stamp, objects, issues: read.issues };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { stamp, objects: kept, issues: [problem(problemOf(error, file), kept)] };
  }
}

/** True if nothing was written between the two. */
export function isSameStamp(a: Stamp, b: Stamp): boolean {
  return a.inode === b.inode && a.mtimeNs === b.mtimeNs && a.size === b.size;
}

/** What is no object in a file may be one that is being written: nothing goes because of it. */
function withAbsent(
  { objects }: FileObjects,
  before: readonly FileObject[],
): readonly FileObject[] {
  const there = new Set(objects.map(({ change }) => `${change.kind} ${change.key}`));
  const absent = before.filter(({ change }) => !there.has(`${change.kind} ${change.key}`));
  return [...objects, ...absent];
}

interface Problem {
  /** `FILE` or `FILE:LINE`. */
  readonly object: string;
  readonly message: string;
}

/** An input error about `file`, in the parts of an issue. */
export function problemOf({ message }: InputError, file: string): Problem {
  const rest = message.startsWith(file) ? message.slice(file.length) : `: ${message}`;
  const match = /^(:\d+)?: (.*)$/s.exec(rest);
  return { object: file + (match?.[1] ?? ""), message: match?.[2] ?? message };
}

function problem({ object, message }: Problem, kept: readonly FileObject[]): Issue {
  const consequence = kept.length > 0 ? "; its last good objects stay in force" : "";
  return issue("UnreadableFile", { object, path: "" }, message + consequence);
}
