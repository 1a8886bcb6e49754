// What differs between the entries that a map should have and those that it has.

import { assert } from "../lib/assert.ts";
import { KeyTable } from "../lib/key-table.ts";
import type { Entries } from "../plan/map-layout.ts";

export interface EntryDifference {
  /** The keys of `desired`. */
  readonly wanted: KeyTable;
  /** Places in `desired`: first those with another value, which need no room, then the new ones. */
  readonly writes: readonly number[];
  readonly unchanged: number;
  /** Places in `actual`. */
  readonly unwanted: readonly number[];
}

/** Sizes in bytes. O(entries); equal keys in `desired` are a programmer error. */
export function diffEntries(
  { keySize, valueSize }: { readonly keySize: number; readonly valueSize: number },
  desired: Entries,
  actual: Entries,
): EntryDifference {
  const wanted = new KeyTable(keySize, desired.count);
  for (let i = 0; i < desired.count; i++) {
    assert(wanted.add(desired.keys, i), "what a map should have has distinct keys");
  }
  const there = new Uint8Array(desired.count);
  const changed: number[] = [];
  const unwanted: number[] = [];
  let unchanged = 0;
  for (let i = 0; i < actual.count; i++) {
    const place = wanted.find(actual.keys, i);
    if (place < 0) {
      unwanted.push(i);
      continue;
    }
    there[place] = 1;
    if (sameBytes(desired.values, place * valueSize, actual.values, i * valueSize, valueSize)) {
      unchanged++;
    } else changed.push(place);
  }
  changed.sort((a, b) => a - b);
  for (let i = 0; i < desired.count; i++) if (there[i] === 0) changed.push(i);
  return { wanted, writes: changed, unchanged, unwanted };
}

function sameBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** The elements of `size` bytes at these places, one behind the other. */
export function pick(from: Uint8Array, size: number, places: readonly number[]): Uint8Array {
  const out = new Uint8Array(places.length * size);
  let at = 0;
  for (const place of places) {
    for (let b = place * size; b < (place + 1) * size; b++) out[at++] = from[b] as number;
  }
  return out;
}
