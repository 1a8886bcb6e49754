// All rows of a node, derived one by one in the order of their keys; nothing is stored.

import type { Address } from "../net/address.ts";
import { compareAddresses, familyOf, v4Number } from "../net/address.ts";
import type { Stream } from "../plan/plan.ts";
import type { Row } from "../plan/row.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { RowFacts } from "./step-log.ts";
import { rowValue } from "./step-log.ts";

/** Sort key and index share a double's 53 bits. */
const INDEX_BITS = 2 ** 20;

interface Source {
  readonly address: Address;
  readonly slot: number;
}

/** Counting is O(endpoints), when asked for; each iteration derives the rows anew. */
export function listRows(table: EndpointTable, facts: (slot: number) => RowFacts): Stream<Row> {
  return {
    get size() {
      return countRows(table, facts);
    },
    [Symbol.iterator]: () => iterate(sortedSources(table), facts),
  };
}

function countRows(table: EndpointTable, facts: (slot: number) => RowFacts): number {
  let size = 0;
  for (const slot of table.slots()) {
    const { addresses, set, values } = facts(slot);
    for (const address of addresses) {
      for (const { index } of set.won(familyOf(address))) if (values[index] !== undefined) size++;
    }
  }
  return size;
}

function* iterate(sources: readonly Source[], facts: (slot: number) => RowFacts): Generator<Row> {
  for (const { address: source, slot } of sources) {
    const { set, values } = facts(slot);
    for (const won of set.won(familyOf(source))) {
      const value = rowValue(source, won, values[won.index]);
      if (value === undefined) continue;
      const { egressIP, gatewayIP, ifindex, policy } = value;
      yield { source, destination: won.prefix, egressIP, gatewayIP, ifindex, policy };
    }
  }
}

/** Every held address, each by one slot. IPv4 sorts as numbers: the fastest way there is. */
function sortedSources(table: EndpointTable): Source[] {
  const v4: Source[] = [];
  const v6: Source[] = [];
  for (const slot of table.slots()) {
    if (table.policiesOf(slot).policies.length === 0) continue;
    for (const address of table.held(slot)) {
      (familyOf(address) === "IPv4" ? v4 : v6).push({ address, slot });
    }
  }
  v6.sort((a, b) => compareAddresses(a.address, b.address));
  if (v4.length >= INDEX_BITS) v4.sort((a, b) => compareAddresses(a.address, b.address));
  return [...(v4.length >= INDEX_BITS ? v4 : sortNumbers(v4)), ...v6];
}

function sortNumbers(sources: readonly Source[]): Source[] {
  const keys = new Float64Array(sources.length);
  for (let i = 0; i < keys.length; i++) {
    keys[i] = v4Number((sources[i] as Source).address) * INDEX_BITS + i;
  }
  keys.sort();
  const sorted: Source[] = [];
  for (const key of keys) sorted.push(sources[key % INDEX_BITS] as Source);
  return sorted;
}
