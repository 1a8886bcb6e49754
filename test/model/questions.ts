// Questions to `explain`, and to whoever else can say what becomes of a packet: random clusters, a
// pod of them and some destinations; and the naive answer, by the reference's rows and a scan.

import fc from "fast-check";
import { reference } from "../../src/engine/reference.ts";
import { present } from "../../src/lib/assert.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import type { Address } from "../../src/net/address.ts";
import { parseAddress } from "../../src/net/address.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import { containsAddress, parsePrefix, prefixLength } from "../../src/net/prefix.ts";
import type { Row, RowsMode } from "../../src/plan/row.ts";
import { insideNaively } from "../scenario/inside.ts";
import { flatObject, manifestOf } from "./objects.ts";

export const DESTINATIONS = [
  ...["198.51.100.7", "198.51.100.8", "203.0.113.9", "203.0.114.1", "10.9.9.9"],
  ...["2001:db8:f::7", "2001:db8:e::7"],
  ...["10.96.0.1", "10.0.0.9", "192.168.1.9", "fd00::9"],
  ...["169.254.169.254", "239.1.2.3", "255.255.255.255", "fe80::1", "ff02::fb"],
];
/** The first of them, which can be no part of the cluster. */
export const OUTSIDE = 7;
export const CLUSTER_CIDRS = ["10.96.0.0/12"];

export const question = fc.record({
  objects: fc.array(flatObject.map(manifestOf), { minLength: 10, maxLength: 60, size: "max" }),
  /** Which of the endpoints is asked about. */
  place: fc.nat(),
  destinations: fc.uniqueArray(fc.constantFrom(...DESTINATIONS), { minLength: 3, maxLength: 5 }),
  rows: fc.constantFrom<RowsMode>("needed", "all"),
});

/** Any endpoint, or every other time one whose own node is its gateway: there are few of them. */
export function endpointAt(view: ModelView, place: number): Endpoint | undefined {
  const endpoints = [...view.endpoints.values()];
  const { assignments } = reference(view, { distribution: "round-robin", scope: undefined });
  const local = assignments.flatMap(({ endpoint: key, gateway }) => {
    const endpoint = present(view.endpoints.get(key), "an assigned endpoint");
    return gateway?.node === endpoint.node ? [endpoint] : [];
  });
  const choice = place % 2 === 0 && local.length > 0 ? local : endpoints;
  return choice[place % choice.length];
}

/** The rows of a node as the reference has them. */
export function rowsOn(name: string, view: ModelView, rows: RowsMode): readonly Row[] {
  return reference(view, { distribution: "round-robin", scope: { node: name, rows } }).rows;
}

/** The row that a packet meets: the longest prefix, found by looking at every row. */
export function scan(
  rows: readonly Row[],
  source: Address,
  destination: Address,
): Row | undefined {
  let best: Row | undefined;
  for (const row of rows) {
    if (row.source !== source || !containsAddress(row.destination, destination)) continue;
    if (best && prefixLength(best.destination) > prefixLength(row.destination)) continue;
    best = row;
  }
  return best;
}

export function isInside(view: ModelView, destination: Address): boolean {
  const inside = insideNaively(view, clusterPrefixes());
  return inside.all.some((prefix) => containsAddress(prefix, destination));
}

/** `CLUSTER_CIDRS` as values. */
export function clusterPrefixes(): Prefix[] {
  return CLUSTER_CIDRS.map((text) => present(parsePrefix(text), text));
}

export function addressAt(text: string): Address {
  return present(parseAddress(text), text);
}
