// What the rows of each of a policy's gateways say on this node (rules 6, 7.6, 7.7).

import type { Address, Family } from "../net/address.ts";
import { FAMILIES, unspecified } from "../net/address.ts";
import type { NodeState } from "../model/node.ts";
import type { RowsMode } from "../plan/row.ts";
import { deriveEgress } from "./egress.ts";
import type { Gateway } from "./gateway.ts";
import type { GatewayFacts } from "./policy-state.ts";

/** The value of each gateway's rows; `gateways` in rule 5.1's order, the result in the same. */
export function gatewayFacts(
  gateways: readonly Gateway[],
  needed: readonly Family[],
  here: { readonly node: string; readonly rows: RowsMode; readonly state: NodeState | undefined },
): GatewayFacts[] {
  const locals = gateways.filter((gateway) => gateway.node === here.node);
  return gateways.map((gateway, place) => {
    const carrier =
      gateway.node === here.node
        ? gateway
        : here.rows === "needed"
          ? locals[place % locals.length]
          : undefined;
    return factsOf(gateway.gatewayIP, carrier, needed, here.state);
  });
}

/** `carrier`: the local gateway whose egress IP the rows carry; undefined: none (rule 7.6). */
function factsOf(
  gatewayIP: Address,
  carrier: Gateway | undefined,
  needed: readonly Family[],
  state: NodeState | undefined,
): GatewayFacts {
  const egressIPs: Record<Family, Address | null> = {
    IPv4: unspecified("IPv4"),
    IPv6: unspecified("IPv6"),
  };
  if (carrier === undefined) return { gatewayIP, egressIPs, ifindex: 0 };
  const egress = deriveEgress(carrier.entry, needed, state);
  for (const family of FAMILIES) {
    if (!needed.includes(family)) continue;
    if (egress === undefined) egressIPs[family] = null;
    else egressIPs[family] = egress.addresses[family] ?? unspecified(family);
  }
  return { gatewayIP, egressIPs, ifindex: egress === undefined ? null : egress.ifindex };
}
