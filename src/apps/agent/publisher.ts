// Publishes what this node is and what its kernel holds: soon after that changed, but never more
// often than once in a while, and every minute in any case, so that silence can be noticed. What it
// says of policies is read back from the kernel, not from what was meant to be written.

import { release } from "node:os";
import { OperationError } from "../../lib/operation-error.ts";
import { sameValue } from "../../lib/equal.ts";
import type { RowSum } from "../../model/row-sum.ts";
import { decodeRows, MAP_LAYOUTS } from "../../plan/map-layout.ts";
import type { Row } from "../../plan/row.ts";
import { ABI_DIRECTORY } from "../../reconcile/datapath-maps.ts";
import { HeldRows } from "../../reconcile/held-rows.ts";
import type { PublishedFacts } from "../../reconcile/published-state.ts";
import { publishedStatus } from "../../reconcile/published-state.ts";
import type { PublishedStatus } from "../../sinks/kubernetes/node-state.ts";
import { readPolicyMaps } from "../../sinks/policy-maps.ts";

/** What the agent knows of itself. */
export interface OwnFacts extends Omit<PublishedFacts, "versions" | "held"> {
  /** The rows that this node should have. */
  readonly rows: readonly Row[];
}

export interface PublisherOptions {
  /** Of Sluice. */
  readonly version: string;
  readonly policyMapDirectory: string;
  /** Undefined: not everything is known yet. */
  facts(): OwnFacts | undefined;
  /** Throws OperationError. */
  write(status: PublishedStatus & { readonly renewTime: string }): Promise<void>;
  readonly log: (message: string, fields: Readonly<Record<string, string>>) => void;
  readonly pace?: Partial<Pace>;
}

export interface Pace {
  /** What changes together is published together. */
  readonly settleMs: number;
  /** Between two writes. */
  readonly intervalMs: number;
  readonly renewMs: number;
  /** A failed write is tried again after so long. */
  readonly retryMs: number;
}

const PACE: Pace = { settleMs: 250, intervalMs: 5_000, renewMs: 60_000, retryMs: 10_000 };

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #pace: Pace;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #running: Promise<void> | undefined;
  #written: { readonly status: PublishedStatus; readonly atMs: number } | undefined;
  #problem = "";
  #closed = false;
  /** Requests that succeeded. */
  writes = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#at(performance.now());
  }

  /** Something may have changed. */
  changed(): void {
    const soonMs = performance.now() + this.#pace.settleMs;
    this.#at(Math.max(soonMs, (this.#written?.atMs ?? -Infinity) + this.#pace.intervalMs));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Looks again at that time at the latest. */
  #at(timeMs: number): void {
    if (this.#closed || timeMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = timeMs;
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Infinity;
      this.#running = (this.#running ?? Promise.resolve()).then(() => this.#publish());
    }, Math.max(0, timeMs - performance.now()));
  }

  async #publish(): Promise<void> {
    const facts = this.#options.facts();
    const { renewMs, retryMs } = this.#pace;
    if (this.#closed || facts === undefined) return this.#at(performance.now() + retryMs);
    try {
      await this.#write(facts);
      this.#problem = "";
      this.#at((this.#written?.atMs ?? 0) + renewMs);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      const { message, remedy } = error;
      if (message !== this.#problem) this.#options.log("publish", { error: message, remedy });
      this.#problem = message;
      this.#at(performance.now() + retryMs);
    }
  }

  async #write({ rows, ...facts }: OwnFacts): Promise<void> {
    const { version, policyMapDirectory, write } = this.#options;
    const held = await readHeldRows(policyMapDirectory, rows);
    const versions = { sluice: version, abi: ABI_DIRECTORY, kernel: release() };
    const status = publishedStatus({ ...facts, versions, held });
    const nowMs = performance.now();
    const old = this.#written;
    const isFresh = old !== undefined && nowMs - old.atMs < this.#pace.renewMs;
    if (isFresh && sameValue(old.status, status)) return;
    await write({ ...status, renewTime: new Date().toISOString() });
    this.writes++;
    this.#written = { status, atMs: nowMs };
  }
}

/** The older IPv4 map repeats the newer one. */
const LAYOUTS: readonly string[] = [MAP_LAYOUTS.v4_v2.name, MAP_LAYOUTS.v6.name];

async function readHeldRows(
  directory: string,
  wanted: readonly Row[],
): Promise<Map<string, RowSum>> {
  const held = new HeldRows();
  await inPieces(wanted, (row) => held.want(row));
  for (const { layout, entries } of await readPolicyMaps(directory)) {
    if (!LAYOUTS.includes(layout.name)) continue;
    await inPieces(decodeRows(layout, entries), (row) => held.see(row));
  }
  return held.sums();
}

/** Some milliseconds' work: a turn must not wait for the whole. */
const PIECE = 4_096;

async function inPieces<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  let done = 0;
  for (const item of items) {
    act(item);
    if (++done % PIECE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
