// A digest of policy rows that does not depend on their order: what a node's kernel holds of a
// policy and what it should hold are compared by it, without the rows themselves. It covers source,
// destination and gateway; egress IPs are each node's own and not compared between nodes.

import { fmix32 } from "../lib/hash.ts";
import type { RowSum } from "../model/row-sum.ts";
import type { Address } from "../net/address.ts";
import type { RowKey } from "./row.ts";

/** What of a row is in the digest. */
export interface DigestedRow extends RowKey {
  readonly gatewayIP: Address;
}

const FNV_PRIME = 0x01000193;
/** Two different starts of FNV-1a make two lanes that are independent enough: 64 bits. */
const STARTS = [0x811c9dc5, 0x9e3779b9] as const;

/** Collects rows, each of them once. */
export class RowDigest {
  #rows = 0;
  #first = 0;
  #second = 0;

  add(row: DigestedRow): void {
    const [first, second] = STARTS;
    this.#rows++;
    this.#first = (this.#first + hashRow(row, first)) >>> 0;
    this.#second = (this.#second + hashRow(row, second)) >>> 0;
  }

  get sum(): RowSum {
    return { rows: this.#rows, digest: hex(this.#first) + hex(this.#second) };
  }
}

/** Sums are mixed, or differences of rows could cancel out. */
function hashRow({ source, destination, gatewayIP }: DigestedRow, start: number): number {
  let hash = start;
  for (const text of [source, destination, gatewayIP]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  }
  return fmix32(hash >>> 0);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
