// Settings of the kernel that are not ours to keep: each is remembered on disk as it was found
// before ours is written, so that it can be restored, by a later process too.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSysctl, writeSysctl } from "../drivers/kernel/sysctl.ts";
import { OperationError } from "../lib/operation-error.ts";

const FILE = "sysctls.json";

export class FoundSysctls {
  readonly #directory: string;
  readonly #path: string;

  /** The file is read when it is needed. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, FILE);
  }

  /** Writes the value if another is there. True: it was. Throws OperationError. */
  set(path: string, value: string): boolean {
    const found = readSysctl(path);
    if (found === value || found === undefined) return false;
    const values = this.#load();
    if (values.get(path) !== found) this.#store(values.set(path, found));
    writeSysctl(path, value);
    return true;
  }

  /**
   * Gives back what was found, for those that nobody wants any more: all but `kept`. What somebody
   * else changed since (`ours` is what we wrote) stays. The number of values written.
   */
  restore({ kept, ours }: { kept: ReadonlySet<string>; ours: string }): number {
    const values = this.#load();
    let written = 0;
    for (const [path, value] of values) {
      if (kept.has(path)) continue;
      if (readSysctl(path) === ours) {
        writeSysctl(path, value);
        written++;
      }
      values.delete(path);
      this.#store(values);
    }
    return written;
  }

  #load(): Map<string, string> {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      if (code === "ENOENT") return new Map();
      throw new OperationError({ code, op: "read", target: this.#path, cause });
    }
    try {
      return new Map(Object.entries(JSON.parse(text) as Record<string, string>));
    } catch (cause) {
      throw new OperationError({ code: "BadState", op: "parse", target: this.#path, cause });
    }
  }

  #store(values: ReadonlyMap<string, string>): void {
    try {
      if (values.size === 0) return rmSync(this.#path, { force: true });
      mkdirSync(this.#directory, { recursive: true });
      const text = `${JSON.stringify(Object.fromEntries(values), undefined, 2)}\n`;
      // Whole or not at all, whenever this process ends.
      writeFileSync(`${this.#path}.new`, text);
      renameSync(`${this.#path}.new`, this.#path);
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      throw new OperationError({ code, op: "write", target: this.#path, cause });
    }
  }
}
