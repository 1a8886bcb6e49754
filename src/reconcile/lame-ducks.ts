// Rows that a gateway no longer should have, kept for a while: other nodes may not have heard yet
// that it left a policy, and go on sending new flows (rule 8.6).

import { lowerBound } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { compareAddresses } from "../net/address.ts";
import { containsPrefix } from "../net/prefix.ts";
import type { Row } from "../plan/row.ts";
import { compareRows, EXCLUDED_GATEWAY } from "../plan/row.ts";

/** How long a gateway serves new flows of a policy that it left. */
export const LAME_DUCK_MS = 30_000;

interface Kept {
  readonly row: Row;
  readonly untilMs: number;
}

export class LameDucks {
  /** What was desired last, sorted. */
  #desired: readonly Row[];
  /** Sorted by row. */
  #kept: readonly Kept[] = [];

  /** `found`: what the kernel holds of an earlier process, which counts as desired by it. */
  constructor(found: readonly Row[] = []) {
    this.#desired = found.toSorted(compareRows);
  }

  /**
   * `rows`, which are sorted, with those that left less than 30 s ago, whose source lives on
   * another node, and whose destinations no row covers now: a longer prefix would go before the
   * row by which the plan sends these packets. O(rows).
   */
  keep(
    rows: readonly Row[],
    at: { readonly nowMs: number; readonly isElsewhere: (source: Address) => boolean },
  ): readonly Row[] {
    const left = missingFrom(rows, this.#desired);
    this.#desired = rows;
    const untilMs = at.nowMs + LAME_DUCK_MS;
    const kept = [...this.#kept, ...left.map((row) => ({ row, untilMs }))].filter((one) => {
      return one.untilMs > at.nowMs && at.isElsewhere(one.row.source) && !covers(rows, one.row);
    });
    this.#kept = kept.sort((a, b) => compareRows(a.row, b.row));
    if (kept.length === 0) return rows;
    return [...rows, ...this.rows()].sort(compareRows);
  }

  /** Those that are kept, sorted. */
  rows(): readonly Row[] {
    return this.#kept.map(({ row }) => row);
  }

  /** When the next one ends; undefined: none is kept. */
  get nextMs(): number | undefined {
    const [first, ...rest] = this.#kept;
    return rest.reduce((least, { untilMs }) => Math.min(least ?? untilMs, untilMs), first?.untilMs);
  }
}

/** The rows of `before` whose keys `rows` lacks; both sorted. */
function missingFrom(rows: readonly Row[], before: readonly Row[]): Row[] {
  const missing: Row[] = [];
  let at = 0;
  for (const row of before) {
    while (at < rows.length && compareRows(rows[at] as Row, row) < 0) at++;
    const same = at < rows.length && compareRows(rows[at] as Row, row) === 0;
    if (!same) missing.push(row);
  }
  return missing;
}

/** Whether packets of `row` meet one of the sorted rows without it; exclusions send nobody here. */
function covers(rows: readonly Row[], { source, destination }: Row): boolean {
  const bySource = (a: Pick<Row, "source">, b: Pick<Row, "source">) =>
    compareAddresses(a.source, b.source);
  for (let i = lowerBound<Pick<Row, "source">>(rows, { source }, bySource); ; i++) {
    const row = rows[i];
    if (row?.source !== source) return false;
    if (row.destination === destination) return true;
    const isWider = containsPrefix(row.destination, destination);
    if (isWider && row.gatewayIP !== EXCLUDED_GATEWAY) return true;
  }
}
