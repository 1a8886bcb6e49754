// Total orders used wherever order reaches output. JavaScript compares strings by UTF-16 code
// units; the contract says bytes, and UTF-8 bytes order like code points.

export type Order<T> = (a: T, b: T) => number;

const SURROGATE_MIN = 0xd800;

/** Orders two strings like their UTF-8 bytes. Negative, zero or positive. O(common prefix). */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a code point above U+FFFF, so it sorts after every other unit.
    if (x >= SURROGATE_MIN && y >= SURROGATE_MIN) return rotateSurrogate(x) - rotateSurrogate(y);
    return x - y;
  }
  return a.length - b.length;
}

function rotateSurrogate(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** The place of `value` in `sorted`, or where it would be inserted. O(log n). */
export function lowerBound<T>(sorted: readonly T[], value: T, order: Order<T>): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(sorted[middle] as T, value) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
