// A gateway: a policy's entry together with the node it resolved to, and the orders in which
// gateways and endpoints stand (rules 4.1, 5.1, 5.4).

import type { Order } from "../lib/order.ts";
import { compareBytes } from "../lib/order.ts";
import { fnv1a32 } from "../lib/hash.ts";
import type { Address } from "../net/address.ts";
import { compareAddresses } from "../net/address.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { GatewayEntry } from "../model/policy.ts";

/** A resolved entry. */
export interface Gateway {
  readonly entry: GatewayEntry;
  readonly node: string;
  /** The node's internal IPv4 address, also for IPv6 rows (rule 4.2). */
  readonly gatewayIP: Address;
  /** FNV-1a 32 of `node|egressIP|interface`, for rendezvous (rule 5.3). */
  readonly keyHash: number;
}

export function makeGateway(entry: GatewayEntry, node: string, gatewayIP: Address): Gateway {
  const keyHash = fnv1a32(`${node}|${entry.egressIPText}|${entry.interface}`);
  return { entry, node, gatewayIP, keyHash };
}

/**
 * Rule 5.1: node name, then egressIP, then interface, absent first. Entries alike in all three are
 * interchangeable and keep the list's order.
 */
export const compareGateways: Order<Gateway> = (a, b) =>
  compareBytes(a.node, b.node) ||
  compareEgressIPs(a.entry.egressIP, b.entry.egressIP) ||
  compareBytes(a.entry.interface, b.entry.interface) ||
  compareBytes(a.entry.egressIPText, b.entry.egressIPText) ||
  a.entry.entry - b.entry.entry;

function compareEgressIPs(a: Address | undefined, b: Address | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return compareAddresses(a, b);
}

/** Rule 5.4: the lowest IPv4 address, or without one the lowest IPv6 address; then UID. */
export const compareEndpoints: Order<Endpoint> = (a, b) =>
  compareAddresses(a.addresses[0] as Address, b.addresses[0] as Address) ||
  compareBytes(a.key, b.key);
