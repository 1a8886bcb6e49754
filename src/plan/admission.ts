// Which endpoints fit into a node's policy maps (rule 7.9): whole endpoints, the oldest policy's
// first, so that a map too small leaks nothing and always keeps the same ones.

import { assert } from "../lib/assert.ts";
import type { Order } from "../lib/order.ts";
import { compareBytes } from "../lib/order.ts";
import type { EndpointKey } from "../model/endpoint.ts";
import type { CreatedAt } from "../model/policy.ts";

/** What one endpoint wants of a node's maps; one demand per endpoint. */
export interface RowDemand {
  readonly endpoint: EndpointKey;
  /** The oldest of its policies, by age, then name: its place in the queue. */
  readonly policy: { readonly name: string; readonly createdAt: CreatedAt };
  readonly rowsIPv4: number;
  readonly rowsIPv6: number;
}

export interface Admission {
  /** Those that stay held, in the queue's order; usually none. */
  readonly held: readonly RowDemand[];
  /** Entries of each map that the admitted ones fill. */
  readonly rowsIPv4: number;
  readonly rowsIPv6: number;
}

/** The queue: policy age, policy name, UID. */
export const compareDemands: Order<Pick<RowDemand, "policy" | "endpoint">> = (a, b) =>
  a.policy.createdAt - b.policy.createdAt ||
  compareBytes(a.policy.name, b.policy.name) ||
  compareBytes(a.endpoint, b.endpoint);

/**
 * Admits greedily: an endpoint whose rows do not all fit stays held, and smaller ones behind it are
 * still tried. `mapSize`: entries of the IPv4 map, and of the IPv6 map. O(demands) if all fit.
 */
export function admit(demands: Iterable<RowDemand>, mapSize: number): Admission {
  assert(mapSize >= 0, "a map's size is not negative");
  const queue = [...demands];
  const rowsIPv4 = queue.reduce((sum, demand) => sum + demand.rowsIPv4, 0);
  const rowsIPv6 = queue.reduce((sum, demand) => sum + demand.rowsIPv6, 0);
  if (rowsIPv4 <= mapSize && rowsIPv6 <= mapSize) return { held: [], rowsIPv4, rowsIPv6 };
  return admitInOrder(queue.sort(compareDemands), mapSize);
}

function admitInOrder(queue: readonly RowDemand[], mapSize: number): Admission {
  const held: RowDemand[] = [];
  let rowsIPv4 = 0;
  let rowsIPv6 = 0;
  for (const demand of queue) {
    if (rowsIPv4 + demand.rowsIPv4 > mapSize || rowsIPv6 + demand.rowsIPv6 > mapSize) {
      held.push(demand);
      continue;
    }
    rowsIPv4 += demand.rowsIPv4;
    rowsIPv6 += demand.rowsIPv6;
  }
  return { held, rowsIPv4, rowsIPv6 };
}
