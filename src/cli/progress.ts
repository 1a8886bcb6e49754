// Says what long work is doing, to a person who waits: one line on standard error that overwrites
// itself and is gone when the work is done. Nothing is shown for quick work, or to a pipe.

import type { Terminal } from "./terminal.ts";

/** Work shorter than this says nothing. */
const QUIET_MS = 500;
/** Faster changes are not readable. */
const INTERVAL_MS = 100;
const ERASE_LINE = "\r\x1b[2K";

export class Progress {
  readonly #terminal: Pick<Terminal, "tell" | "watched">;
  readonly #now: () => number;
  #due: number;
  #shown = false;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(terminal: Pick<Terminal, "tell" | "watched">, now = () => performance.now()) {
    this.#terminal = terminal;
    this.#now = now;
    this.#due = now() + QUIET_MS;
  }

  /** Says what is being done, if the time has come. */
  update(text: string): void {
    if (!this.#terminal.watched || this.#now() < this.#due) return;
    this.#due = this.#now() + INTERVAL_MS;
    this.#shown = true;
    this.#terminal.tell(`${ERASE_LINE}${text}`);
  }

  /** Removes the line, so that others can write; a later update may show one again, at once. */
  done(): void {
    if (!this.#shown) return;
    this.#terminal.tell(ERASE_LINE);
    this.#shown = false;
    this.#due = this.#now();
  }
}
