// A file of the agent's own to which it adds what must outlive it, a JSON value a line: a change
// costs its own line and not the whole state. It is replaced as a whole when it has grown long.

import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";

/** First line. Raised when lines are no longer read as before; others' files are ignored. */
const HEADER = '{"version":1}\n';

export class StateLog {
  readonly #path: string;
  /** Undefined: what is there cannot be added to. */
  #lines: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** How many values are there to add to; undefined: `replace` must come first. */
  get lines(): number | undefined {
    return this.#lines;
  }

  /** What is there, oldest first, without what a process that was killed did not write whole. */
  read(): unknown[] {
    const text = this.#text();
    if (!text.startsWith(HEADER)) return [];
    const lines = text.slice(HEADER.length).split("\n");
    const cut = lines.pop() !== "";
    const values = lines.flatMap((line) => valuesIn(line));
    this.#lines = cut || values.length < lines.length ? undefined : lines.length;
    return values;
  }

  /** Throws OperationError; then `replace` must come first. */
  append(values: readonly unknown[]): void {
    const lines = this.#lines;
    if (lines === undefined) throw new Error("nothing to add to");
    this.#lines = undefined;
    this.#doing(() => appendFileSync(this.#path, render(values)));
    this.#lines = lines + values.length;
  }

  /** Makes the directory if it is missing. Throws OperationError. */
  replace(values: readonly unknown[]): void {
    const part = `${this.#path}.part`;
    this.#lines = undefined;
    this.#doing(() => {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(part, HEADER + render(values));
      renameSync(part, this.#path);
    });
    this.#lines = values.length;
  }

  #text(): string {
    try {
      return readFileSync(this.#path, "utf8");
    } catch {
      return "";
    }
  }

  #doing(write: () => void): void {
    try {
      write();
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      throw new OperationError({ code, op: "write", target: this.#path, cause });
    }
  }
}

function render(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

function valuesIn(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
