// Proves the key table against a Set of the same keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyTable } from "./key-table.ts";

test("finds each of many keys at its place, and no other", () => {
  for (const keySize of [4, 12, 36]) {
    const count = 5000;
    const keys = new Uint8Array(2 * count * keySize);
    const view = new DataView(keys.buffer);
    // Only the last word differs, and only in its upper bits.
    for (let i = 0; i < 2 * count; i++) view.setUint32((i + 1) * keySize - 4, i << 16 | i >> 8);
    const distinct = new Set<string>();
    const table = new KeyTable(keySize);
    for (let i = 0; i < count; i++) {
      const key = Buffer.from(keys.slice(i * keySize, (i + 1) * keySize)).toString("hex");
      assert.equal(table.add(keys, i), !distinct.has(key));
      distinct.add(key);
    }
    assert.equal(table.size, distinct.size);
    assert.equal(table.size, count);
    for (let i = 0; i < 2 * count; i++) assert.equal(table.find(keys, i), i < count ? i : -1);
    assert.deepEqual(table.keys, keys.subarray(0, count * keySize));
  }
});

test("takes a key once", () => {
  const table = new KeyTable(4);
  const keys = new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual([0, 1, 2].map((i) => table.add(keys, i)), [true, true, false]);
  assert.equal(table.find(keys, 2), 0);
});
