// Gives every member of a policy one of its gateways, by the policy's strategy (rule 5). What one
// endpoint gets under a hash strategy depends on nobody else; under round-robin, on its rank.

import { unreachable } from "../lib/assert.ts";
import { fnv1a32 } from "../lib/hash.ts";
import type { Distribution } from "../model/policy.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { PolicyState } from "./policy-state.ts";
import { ciliumHash, ciliumOrder, rendezvousWinner, roundRobin } from "./strategy.ts";

/** The gateway id of the endpoint in `slot` at place `rank`; 0: no entry resolves. */
export type Choice = (slot: number, rank: number) => number;

/** How `state`'s gateways are chosen now; make it once per pass. */
export function chooser(
  state: PolicyState,
  distribution: Distribution,
  table: EndpointTable,
): Choice {
  const ids = state.gateways.map(({ id }) => id);
  const n = ids.length;
  if (n === 0) return () => 0;
  const gateways = state.gateways.map(({ gateway }) => gateway);
  switch (distribution) {
    case "round-robin":
      return (_slot, rank) => ids[roundRobin(rank, n)] as number;
    case "cilium-hash": {
      const ordered = ciliumOrder(gateways).map((place) => ids[place] as number);
      return (slot) => ordered[ciliumHash(ciliumUidHash(slot, table), n)] as number;
    }
    case "rendezvous":
      return (slot) => ids[rendezvousWinner(table.hashOf(slot), gateways)] as number;
    default:
      return unreachable(distribution);
  }
}

/** Rule 3.1: only cilium-hash uses the CiliumEndpoint's own UID, where one is known. */
function ciliumUidHash(slot: number, table: EndpointTable): number {
  const { ciliumUid } = table.at(slot);
  return ciliumUid === "" ? table.hashOf(slot) : fnv1a32(ciliumUid);
}
