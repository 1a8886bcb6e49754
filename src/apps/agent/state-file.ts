// A small JSON file of the agent's own, replaced as a whole: what must outlive a restart.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";

/** Raised when what is stored is no longer read as before; files of other versions are ignored. */
const VERSION = 1;

interface Stored {
  readonly version: number;
  readonly content: unknown;
}

/** What was written last; undefined for a file that is missing, cut short or of another version. */
export function readState(path: string): unknown {
  try {
    const { version, content } = JSON.parse(readFileSync(path, "utf8")) as Stored;
    return version === VERSION ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the file, making its directory if it is missing. Throws OperationError. */
export function writeState(path: string, content: unknown): void {
  const stored: Stored = { version: VERSION, content };
  const part = `${path}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(part, JSON.stringify(stored));
    renameSync(part, path);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "write", target: path, cause });
  }
}
