// A node's policy maps in the kernel: makes what is pinned equal to the rows that it should have.
// Load, diff, apply; writes before deletes, only differences (rule 7.8). Which rows fit into a full
// map is the plan's decision (rule 7.9); here it is only reported how many did.
//
// What is in a map is read by a dump, at first and when somebody doubts: a look-up answers with the
// longest prefix, so it cannot say whether one exact entry is there.

import { join } from "node:path";
import type { BatchResult } from "../drivers/kernel/batch.ts";
import type { MapShape } from "../drivers/kernel/bpf-map.ts";
import { BpfMap, LPM_TRIE, NO_PREALLOC, RDONLY_PROG } from "../drivers/kernel/bpf-map.ts";
import { checkBpffs, keepPinned, makeDirectory } from "../drivers/kernel/bpffs.ts";
import { KeyTable } from "../lib/key-table.ts";
import { OperationError } from "../lib/operation-error.ts";
import { bitsOf, prefixAddress, prefixLength } from "../net/prefix.ts";
import type { Entries, MapLayout } from "../plan/map-layout.ts";
import { decodeRows, encodeRows, MAP_LAYOUTS, maskKeys } from "../plan/map-layout.ts";
import type { Row, RowChanges } from "../plan/row.ts";
import { diffEntries, pick } from "./map-diff.ts";

/** What became of a map's entries. */
export interface MapOutcome {
  readonly map: string;
  /** New rows, and rows with another value. */
  readonly written: number;
  /** Of those written: they stood as they should, and somebody else removed or changed them. */
  readonly repaired: number;
  /** Rows that an earlier `apply` wanted and this one does not. */
  readonly deleted: number;
  readonly unchanged: number;
  /** Entries that no `apply` of this process ever wanted. */
  readonly pruned: number;
  /** Rows not written and entries not removed, for `error`. */
  readonly failed: number;
  readonly error: OperationError | undefined;
}

export interface PolicyMapsOptions {
  /** In a bpffs; made if missing. */
  readonly directory: string;
  /** Room of maps that are made; those found keep theirs. */
  readonly maxEntries: number;
  /** Write the `v4` map of older releases too. */
  readonly legacyV4: boolean;
  /** Told after the writes to a map and after each kind of removal, in order. */
  readonly onBatch?: (batch: { op: "write" | "delete"; map: string; entries: number }) => void;
}

export interface PolicyMaps {
  /** The rows that the maps hold, whoever wrote them and for whatever policy. */
  rows(): Promise<Row[]>;
  /**
   * Makes the maps hold `rows`, those of this node, sorted. `prune`: all sources are synced, so
   * what nobody wants may go. One call at a time.
   */
  apply(rows: Iterable<Row>, options: { readonly prune: boolean }): Promise<MapOutcome[]>;
  /** Somebody else may have written: the next `apply` looks what is there. */
  doubt(): void;
  /** Lets go of the maps; what is pinned stays. */
  close(): void;
}

/** Finds or makes the maps. Throws OperationError before anything is changed. */
export function openPolicyMaps(options: PolicyMapsOptions): PolicyMaps {
  const { v4, v4_v2, v6 } = MAP_LAYOUTS;
  const layouts: MapLayout[] = options.legacyV4 ? [v4_v2, v6, v4] : [v4_v2, v6];
  checkBpffs(options.directory);
  const found: (BpfMap | undefined)[] = [];
  const maps: PolicyMap[] = [];
  try {
    for (const layout of layouts) found.push(openPinned(layout, options.directory, "write"));
    makeDirectory(options.directory);
    for (const [i, layout] of layouts.entries()) {
      const map = (found[i] ??= makePinned(layout, options));
      maps.push(new PolicyMap(layout, map, options));
    }
  } catch (error) {
    for (const map of found) map?.close();
    throw error;
  }
  return {
    async rows() {
      // The old map says the same once more.
      const all = maps.filter(({ layout }) => layout !== v4).map((map) => map.rows());
      return (await Promise.all(all)).flat();
    },
    async apply(rows, how) {
      const outcomes: MapOutcome[] = [];
      for (const map of maps) outcomes.push(await map.apply(rows, how));
      return outcomes;
    },
    doubt: () => maps.forEach((map) => map.doubt()),
    close: () => maps.forEach((map) => map.close()),
  };
}

/** What an `apply` did to rows; the old map has them once more. */
export function rowChanges(outcomes: readonly MapOutcome[]): RowChanges {
  const counted = outcomes.filter(({ map }) => map !== MAP_LAYOUTS.v4.name);
  const sum = (of: (outcome: MapOutcome) => number) =>
    counted.reduce((total, outcome) => total + of(outcome), 0);
  return {
    written: sum(({ written }) => written),
    deleted: sum(({ deleted, pruned }) => deleted + pruned),
    repaired: sum(({ repaired }) => repaired),
  };
}

export interface FoundMap {
  readonly layout: MapLayout;
  readonly path: string;
  readonly maxEntries: number;
  readonly entries: Entries;
}

/** Reads the policy maps pinned in a directory, whoever made them, and changes nothing. */
export async function readPolicyMaps(directory: string): Promise<FoundMap[]> {
  checkBpffs(directory);
  const found: FoundMap[] = [];
  for (const layout of Object.values<MapLayout>(MAP_LAYOUTS)) {
    const map = openPinned(layout, directory, "read");
    if (map === undefined) continue;
    try {
      const { maxEntries } = map.info;
      found.push({ layout, path: map.target, maxEntries, entries: await map.dump() });
    } finally {
      map.close();
    }
  }
  return found;
}

function shapeOf({ keySize, valueSize }: MapLayout): MapShape {
  return { type: LPM_TRIE, keySize, valueSize, flags: NO_PREALLOC | RDONLY_PROG };
}

/** The map if one is pinned; a map of another shape is refused. */
function openPinned(
  layout: MapLayout,
  directory: string,
  access: "write" | "read",
): BpfMap | undefined {
  const path = join(directory, layout.name);
  let map: BpfMap;
  try {
    map = BpfMap.open(path, access);
  } catch (error) {
    if (error instanceof OperationError && error.code === "ENOENT") return undefined;
    throw error;
  }
  const wanted = renderShape(shapeOf(layout));
  const shape = renderShape(map.info);
  if (shape === wanted) return map;
  map.close();
  const detail = `a map of another layout is pinned here: ${shape}; wanted: ${wanted}`;
  throw new OperationError({ code: "ForeignLayout", op: "bpf_obj_get", target: path, detail });
}

function renderShape({ type, keySize, valueSize, flags }: MapShape): string {
  const kind = type === LPM_TRIE ? "LPM trie" : `map type ${type}`;
  return `${kind}, key ${keySize} bytes, value ${valueSize} bytes, flags 0x${flags.toString(16)}`;
}

function makePinned(layout: MapLayout, { directory, maxEntries }: PolicyMapsOptions): BpfMap {
  const map = BpfMap.create(layout.name, shapeOf(layout), maxEntries);
  try {
    map.pin(join(directory, layout.name));
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

/** One of them: what is pinned, and what we remember of it. */
class PolicyMap {
  readonly layout: MapLayout;
  readonly #map: BpfMap;
  readonly #path: string;
  readonly #onBatch: PolicyMapsOptions["onBatch"];
  /** Keys that an `apply` wanted and that were not removed since. */
  #known: KeyTable;
  /** What the map holds; undefined: to be looked at. */
  #held: Entries | undefined;
  /** What the last `apply` left in it; undefined: that one did not come to its end. */
  #left: Entries | undefined;

  constructor(layout: MapLayout, map: BpfMap, { directory, onBatch }: PolicyMapsOptions) {
    this.layout = layout;
    this.#map = map;
    this.#path = join(directory, layout.name);
    this.#onBatch = onBatch;
    this.#known = new KeyTable(layout.keySize);
  }

  async rows(): Promise<Row[]> {
    const rows: Row[] = [];
    for (const { source, ...row } of decodeRows(this.layout, await this.#map.dump())) {
      // Others may cover a whole subnet by one entry; a row of ours has one source.
      if (prefixLength(source) !== bitsOf(this.layout.family)) continue;
      rows.push({ source: prefixAddress(source), ...row, policy: "" });
    }
    return rows;
  }

  async apply(rows: Iterable<Row>, { prune }: { prune: boolean }): Promise<MapOutcome> {
    // Others may empty the BPF file system, and readers look for the map there.
    keepPinned(this.#path, (path) => this.#map.pin(path));
    const desired = encodeRows(this.layout, rows);
    const actual = this.#held ?? (await this.#load());
    const left = this.#left;
    // If this is not done to its end, nobody knows.
    this.#held = this.#left = undefined;
    const { wanted, writes, unchanged, unwanted } = diffEntries(this.layout, desired, actual);
    const lost = left === undefined || left === actual ? 0 : this.#lost(desired, left, writes);
    const known = unwanted.filter((index) => this.#known.find(actual.keys, index) >= 0);
    const strange = prune
      ? unwanted.filter((index) => this.#known.find(actual.keys, index) < 0)
      : [];

    let wrote = await this.#write(desired, writes);
    const deleted = await this.#delete(actual, known);
    const pruned = await this.#delete(actual, strange);
    // Entries that went may have made room.
    const more = deleted.done + pruned.done > 0 && wrote.error?.code === "ENOSPC";
    if (more) {
      const again = await this.#write(desired, writes.slice(wrote.done));
      wrote = { done: wrote.done + again.done, error: again.error };
    }

    this.#known = wanted;
    for (const index of known.slice(deleted.done)) wanted.add(actual.keys, index);
    const asked = writes.length + known.length + strange.length;
    const rest = unwanted.length - deleted.done - pruned.done;
    if (rest === 0 && wrote.done === writes.length) this.#held = desired;
    if (wrote.done + deleted.done === writes.length + known.length) this.#left = desired;
    return {
      map: this.layout.name,
      written: wrote.done,
      repaired: Math.min(lost, wrote.done),
      deleted: deleted.done,
      unchanged,
      pruned: pruned.done,
      failed: asked - wrote.done - deleted.done - pruned.done,
      error: wrote.error ?? deleted.error ?? pruned.error,
    };
  }

  doubt(): void {
    this.#held = undefined;
  }

  close(): void {
    this.#map.close();
  }

  /** How many of the `writes` an earlier `apply` had left as they should be. */
  #lost(desired: Entries, left: Entries, writes: readonly number[]): number {
    if (writes.length === 0) return 0;
    const planned = new Set(diffEntries(this.layout, desired, left).writes);
    return writes.filter((place) => !planned.has(place)).length;
  }

  async #load(): Promise<Entries> {
    const actual = await this.#map.dump();
    maskKeys(this.layout, actual);
    return actual;
  }

  async #write({ keys, values }: Entries, indexes: readonly number[]): Promise<BatchResult> {
    const { keySize, valueSize } = this.layout;
    const batch = pick(keys, keySize, indexes);
    const result = await this.#map.update(batch, pick(values, valueSize, indexes));
    if (indexes.length > 0) this.#tell("write", result.done);
    return result;
  }

  async #delete({ keys }: Entries, indexes: readonly number[]): Promise<BatchResult> {
    const result = await this.#map.delete(pick(keys, this.layout.keySize, indexes));
    if (indexes.length > 0) this.#tell("delete", result.done);
    return result;
  }

  #tell(op: "write" | "delete", entries: number): void {
    this.#onBatch?.({ op, map: this.layout.name, entries });
  }
}
