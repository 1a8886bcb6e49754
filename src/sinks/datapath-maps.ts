// Our programs' maps in the kernel: makes what is pinned equal to what the datapath should be.
// Load, diff, apply; only differences; all maps are written before anything is deleted from one.
// They are loaded at first and when somebody doubts: nobody else writes them.

import type { BatchResult } from "../drivers/kernel/batch.ts";
import type { BpfMap } from "../drivers/kernel/bpf-map.ts";
import type { OperationError } from "../lib/operation-error.ts";
import type { Entries } from "../plan/map-layout.ts";
import type { NodeDatapath } from "../reconcile/datapath.ts";
import type { DatapathMap } from "../reconcile/datapath-maps.ts";
import type { EntryDifference } from "./map-diff.ts";
import { diffEntries, pick } from "./map-diff.ts";

/** What became of a map's entries. */
export interface DatapathMapOutcome {
  readonly map: string;
  /** New entries, and entries with another value. */
  readonly written: number;
  readonly deleted: number;
  readonly unchanged: number;
  /** Entries not written and entries not removed, for `error`. */
  readonly failed: number;
  readonly error: OperationError | undefined;
}

/** A map of ours that is there. */
export interface OpenMap {
  readonly layout: DatapathMap;
  readonly map: BpfMap;
  /** What it holds; undefined: to be looked at. Kept by `applyDatapathMaps`. */
  held: Entries | undefined;
}

const NOTHING: BatchResult = { done: 0, error: undefined };
/** What a full map answers: a trie the one, a hash the other. */
const FULL: ReadonlySet<string> = new Set(["ENOSPC", "E2BIG"]);

/**
 * Makes the maps hold what `desired` says. They stand in the order in which entries lead to one
 * another; deleting goes the other way. Without `prune` nothing is deleted. One call at a time.
 */
export async function applyDatapathMaps(
  maps: readonly OpenMap[],
  desired: NodeDatapath,
  { prune }: { readonly prune: boolean },
): Promise<DatapathMapOutcome[]> {
  const works: MapWork[] = [];
  for (const { layout, map, held } of maps) {
    works.push(new MapWork(layout, map, layout.encode(desired), held ?? (await map.dump())));
  }
  // If this is not done to its end, nobody knows.
  for (const map of maps) map.held = undefined;
  for (const work of works) await work.write();
  if (prune) for (const work of works.toReversed()) await work.delete();
  for (const work of works) await work.writeRest();
  for (const [i, map] of maps.entries()) map.held = works[i]?.held;
  return works.map((work) => work.outcome(prune));
}

/** What is to be done with one map, and how far it is. */
class MapWork {
  readonly #layout: DatapathMap;
  readonly #map: BpfMap;
  readonly #desired: Entries;
  readonly #actual: Entries;
  readonly #difference: EntryDifference;
  #wrote: BatchResult = NOTHING;
  #deleted: BatchResult = NOTHING;

  constructor(layout: DatapathMap, map: BpfMap, desired: Entries, actual: Entries) {
    this.#layout = layout;
    this.#map = map;
    this.#desired = desired;
    this.#actual = actual;
    this.#difference = diffEntries(layout, desired, actual);
  }

  async write(): Promise<void> {
    this.#wrote = await this.#writeFrom(0);
  }

  async delete(): Promise<void> {
    const { unwanted } = this.#difference;
    this.#deleted = await this.#map.delete(pick(this.#actual.keys, this.#layout.keySize, unwanted));
  }

  /** Entries that went may have made room. */
  async writeRest(): Promise<void> {
    const { done, error } = this.#wrote;
    if (error === undefined || !FULL.has(error.code) || this.#deleted.done === 0) return;
    const again = await this.#writeFrom(done);
    this.#wrote = { done: done + again.done, error: again.error };
  }

  /** What the map holds now; undefined: not what is desired. */
  get held(): Entries | undefined {
    const { writes, unwanted } = this.#difference;
    const done = this.#wrote.done === writes.length && this.#deleted.done === unwanted.length;
    return done ? this.#desired : undefined;
  }

  outcome(prune: boolean): DatapathMapOutcome {
    const { writes, unchanged, unwanted } = this.#difference;
    const asked = writes.length + (prune ? unwanted.length : 0);
    return {
      map: this.#layout.name,
      written: this.#wrote.done,
      deleted: this.#deleted.done,
      unchanged,
      failed: asked - this.#wrote.done - this.#deleted.done,
      error: this.#wrote.error ?? this.#deleted.error,
    };
  }

  #writeFrom(first: number): Promise<BatchResult> {
    const { keySize, valueSize } = this.#layout;
    const places = this.#difference.writes.slice(first);
    const { keys, values } = this.#desired;
    return this.#map.update(pick(keys, keySize, places), pick(values, valueSize, places));
  }
}
