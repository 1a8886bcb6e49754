// Proves that a number means one address for as long as a connection may hold it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import { parseAddress } from "../net/address.ts";
import { IndexTable } from "./index-table.ts";
import { INDEX_MAX } from "./mark.ts";

const address = (number: number): Address =>
  present(parseAddress(`10.0.${number >> 8}.${number & 255}`), "a test address");
const set = (...numbers: number[]) => new Set(numbers.map(address));

test("an address keeps its number while others come and go [8.5]", () => {
  const table = new IndexTable();
  table.use(set(1, 2));
  const before = table.indexOf(address(2));
  table.use(set(2, 3));
  assert.equal(table.indexOf(address(2)), before);
  assert.equal(table.indexOf(address(1)), 1, "an idle address keeps its number too");
  table.use(set(1, 2, 3));
  assert.deepEqual(table.entries().map(({ index }) => index), [1, 2, 3]);
});

test("numbers that the kernel still holds are taken over", () => {
  const table = new IndexTable([
    { index: 7, address: address(1) },
    { index: 7, address: address(2) },
    { index: 0, address: address(3) },
  ]);
  table.use(set(1, 2));
  assert.equal(table.indexOf(address(1)), 7);
  assert.equal(table.indexOf(address(2)), 1, "a number that was told twice is not believed twice");
});

test("only when all numbers are given, the address that was idle longest loses its own", () => {
  const table = new IndexTable();
  const all = Array.from({ length: INDEX_MAX }, (_, i) => i);
  assert.deepEqual(table.use(set(...all)), []);
  table.use(set(...all.slice(2)));
  const evicted = table.use(set(...all.slice(2), 5000));
  assert.deepEqual(evicted, [{ index: 1, address: address(0) }]);
  assert.equal(table.indexOf(address(5000)), 1);
  assert.equal(table.indexOf(address(1)), 2);
});

test("more addresses in use than numbers end the process", () => {
  const many = Array.from({ length: INDEX_MAX + 1 }, (_, i) => i);
  assert.throws(() => new IndexTable().use(set(...many)));
});
