// Assignments and gateways as a plan shows them, read from the engine's state.

import { FAMILIES } from "../net/address.ts";
import type { Assignment, PlanGateway, Stream } from "../plan/plan.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { Gateways } from "./gateways.ts";
import type { PolicyState } from "./policy-state.ts";

/** A policy's gateways by id, in rule 5.1's order, with their number of endpoints. */
export function planGateways(
  state: PolicyState,
  gatewayId: (slot: number) => number,
  gateways: Gateways,
): Map<number, PlanGateway> {
  const counts = new Map<number, number>();
  for (let place = 0; place < state.members.length; place++) {
    const id = gatewayId(state.members.at(place));
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const planned = new Map<number, PlanGateway>();
  for (const { id, gateway } of state.gateways) {
    const egress = gateways.egressOf(gateway, state);
    const written = gateway.entry.interface;
    planned.set(id, {
      entry: gateway.entry.entry,
      node: gateway.node,
      gatewayIP: gateway.gatewayIP,
      interface: egress?.interface || written || null,
      egressIPs:
        egress === undefined
          ? null
          : FAMILIES.flatMap((family) => egress.addresses[family] ?? []),
      endpoints: counts.get(id) ?? 0,
    });
  }
  return planned;
}

/** Sorted by policy, then by rule 5.4's order. */
export function listAssignments(
  states: readonly PolicyState[],
  table: EndpointTable,
  read: {
    gatewayId(slot: number, state: PolicyState): number;
    gateways(state: PolicyState): Map<number, PlanGateway>;
  },
): Stream<Assignment> {
  const size = states.reduce((sum, state) => sum + state.members.length, 0);
  function* iterate(): Generator<Assignment> {
    for (const state of states) {
      const gateways = read.gateways(state);
      for (let place = 0; place < state.members.length; place++) {
        const slot = state.members.at(place);
        yield {
          policy: state.policy.name,
          endpoint: table.at(slot),
          addresses: table.held(slot),
          gateway: gateways.get(read.gatewayId(slot, state)),
        };
      }
    }
  }
  return { size, [Symbol.iterator]: iterate };
}
