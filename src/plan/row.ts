// One entry of a node's policy map: (source, destination prefix) -> (egress IP, gateway IP).

import type { Change } from "../model/change.ts";
import type { Address } from "../net/address.ts";
import { compareAddresses, parseAddress } from "../net/address.ts";
import { present } from "../lib/assert.ts";
import type { Prefix } from "../net/prefix.ts";
import { comparePrefixes } from "../net/prefix.ts";

/** Gateway IP of a row whose policy has no gateway: the packet is dropped (rule 4.3). */
export const DROP_GATEWAY: Address = present(parseAddress("0.0.0.0"), "constant");
/** Gateway IP of an exclusion: the packet is left alone (rule 7.2). */
export const EXCLUDED_GATEWAY: Address = present(parseAddress("0.0.0.1"), "constant");

/** Which rows a node holds (rules 7.6, 7.7). */
export type RowsMode = "needed" | "all";

export interface RowKey {
  readonly source: Address;
  /** Of the source's family. */
  readonly destination: Prefix;
}

export interface RowValue {
  /** Of the source's family; unspecified: none on this node; null: unknown (rule 6.8). */
  readonly egressIP: Address | null;
  /** Always IPv4. */
  readonly gatewayIP: Address;
  /** 0: none; null: unknown. */
  readonly ifindex: number | null;
  /** The policy whose row won (rule 7.3). */
  readonly policy: string;
}

export interface Row extends RowKey, RowValue {}

export type RowChange = Change<RowKey, RowValue>;

/** Orders rows by source, then destination: IPv4 first, then bytes. */
export function compareRows(a: RowKey, b: RowKey): number {
  return compareAddresses(a.source, b.source) || comparePrefixes(a.destination, b.destination);
}

/** True if both rows would be the same entry, won by the same policy. */
export function sameRowValue(a: RowValue, b: RowValue): boolean {
  return (
    a === b ||
    (a.egressIP === b.egressIP &&
      a.gatewayIP === b.gatewayIP &&
      a.ifindex === b.ifindex &&
      a.policy === b.policy)
  );
}

/** What was done to the rows of a node's kernel. */
export interface RowChanges {
  readonly written: number;
  readonly deleted: number;
  /** Of those written: they had stood already, and somebody else removed or changed them. */
  readonly repaired: number;
}
