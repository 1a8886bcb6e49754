// Deep equality of plain data, for stages that emit real differences only.

import { isDeepStrictEqual } from "node:util";

/** True if both are plain data with equal content. */
export function sameValue(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

/** True if both lists have the same elements (by `===`) in the same order. */
export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((element, i) => element === b[i]);
}
