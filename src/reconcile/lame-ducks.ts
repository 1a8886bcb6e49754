// Rows that a gateway no longer should have, kept for a while: other nodes may not have heard yet
// that it left a policy, and go on sending new flows (rule 8.6).

import type { Address } from "../net/address.ts";
import type { Row } from "../plan/row.ts";
import { compareRows } from "../plan/row.ts";

/** How long a gateway serves new flows of a policy that it left. */
export const LAME_DUCK_MS = 30_000;

export class LameDucks {
  /** What was desired last, by source and destination. */
  #desired: ReadonlyMap<string, Row>;
  #kept = new Map<string, { readonly row: Row; readonly untilMs: number }>();

  /** `found`: what the kernel holds of an earlier process, which counts as desired by it. */
  constructor(found: Iterable<Row> = []) {
    this.#desired = byKey(found);
  }

  /**
   * `rows` with those that left less than 30 s ago and whose source lives on another node, sorted.
   * O(rows).
   */
  keep(
    rows: readonly Row[],
    at: { readonly nowMs: number; readonly isElsewhere: (source: Address) => boolean },
  ): readonly Row[] {
    const desired = byKey(rows);
    for (const [key, row] of this.#desired) {
      if (!desired.has(key)) this.#kept.set(key, { row, untilMs: at.nowMs + LAME_DUCK_MS });
    }
    this.#desired = desired;
    for (const [key, { row, untilMs }] of this.#kept) {
      const over = untilMs <= at.nowMs || desired.has(key) || !at.isElsewhere(row.source);
      if (over) this.#kept.delete(key);
    }
    if (this.#kept.size === 0) return rows;
    return [...rows, ...this.rows()].sort(compareRows);
  }

  /** Those that are kept, in no order. */
  rows(): readonly Row[] {
    return [...this.#kept.values()].map(({ row }) => row);
  }

  /** When the next one ends; undefined: none is kept. */
  get nextMs(): number | undefined {
    let next: number | undefined;
    for (const { untilMs } of this.#kept.values()) next = Math.min(next ?? untilMs, untilMs);
    return next;
  }
}

function byKey(rows: Iterable<Row>): ReadonlyMap<string, Row> {
  const map = new Map<string, Row>();
  for (const row of rows) map.set(keyOf(row), row);
  return map;
}

function keyOf({ source, destination }: Row): string {
  return source + destination;
}
