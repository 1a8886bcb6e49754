// The arithmetic of capacity: how full a map is, how many connections an egress IP can carry.

import type { NodeCapacity } from "./plan.ts";

/** SNAT ports of one egress IP, 1024 to 65535, per protocol, destination address and port. */
export const SNAT_PORTS = 65_536 - 1024;

/** The ports that each endpoint has on average; all of them where nobody shares. */
export function portsPerEndpoint(endpoints: number): number {
  return endpoints === 0 ? SNAT_PORTS : Math.floor(SNAT_PORTS / endpoints);
}

/** The rows of the fuller one of a node's maps: each family has a map of its own (rule 7.5). */
export function fullerMap(capacity: Pick<NodeCapacity, "rowsIPv4" | "rowsIPv6">): number {
  return Math.max(capacity.rowsIPv4, capacity.rowsIPv6);
}
