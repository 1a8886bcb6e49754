// The trail that changes of rows leave in the log: at most one line a second, with sums, so that
// churn cannot flood it. Rows that somebody else had removed or changed are told apart.

import type { RowChanges } from "../../plan/row.ts";
import type { AgentOptions } from "./options.ts";
import type { Timers } from "./timers.ts";

const LINE_MS = 1_000;
/** Names of policies that a line has. */
const NAMES_MAX = 10;

const NOTHING: RowChanges = { written: 0, deleted: 0, repaired: 0 };

export class RowTrail {
  readonly #log: AgentOptions["log"];
  readonly #timers: Timers;
  readonly #policies = new Set<string>();
  #total = NOTHING;
  /** What of it was told. */
  #told = NOTHING;
  #toldMs = -Infinity;

  constructor(log: AgentOptions["log"], timers: Timers) {
    this.#log = log;
    this.#timers = timers;
  }

  /** What was done to the kernel's rows since the agent began. */
  get total(): RowChanges {
    return this.#total;
  }

  /** Policies that came, changed or went: a line of their own, or with the rows that follow. */
  notePolicies(names: Iterable<string>): void {
    for (const name of names) this.#policies.add(name);
  }

  /** What was done to the kernel's rows; tells it now, or with what comes within the second. */
  noteRows(changes: RowChanges): void {
    this.#total = combine(this.#total, changes, 1);
    const leftMs = this.#toldMs + LINE_MS - performance.now();
    if (leftMs <= 0) this.tell();
    else this.#timers.later("row trail", leftMs, () => this.tell());
  }

  /** Tells what was not told yet. */
  tell(): void {
    const { written: all, deleted, repaired } = combine(this.#total, this.#told, -1);
    this.#told = this.#total;
    const written = all - repaired;
    const names = [...this.#policies].sort();
    this.#policies.clear();
    if (written + deleted + names.length > 0) {
      const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
      const policies = names.slice(0, NAMES_MAX).join(" ") + more;
      const changed = names.length === 0 ? {} : { policies };
      this.#log("rows", { written: String(written), deleted: String(deleted), ...changed });
      this.#toldMs = performance.now();
    }
    if (repaired === 0) return;
    this.#log("repaired", { rows: String(repaired), why: "somebody else removed or changed them" });
    this.#toldMs = performance.now();
  }
}

function combine(a: RowChanges, b: RowChanges, factor: 1 | -1): RowChanges {
  return {
    written: a.written + factor * b.written,
    deleted: a.deleted + factor * b.deleted,
    repaired: a.repaired + factor * b.repaired,
  };
}
