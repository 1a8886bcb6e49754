// Assignments in one form, whoever gave them: a line for each, so that a difference can be read.

import type { Address } from "../../src/net/address.ts";
import { renderAddress } from "../../src/net/address.ts";
import type { Assignment } from "../../src/plan/plan.ts";
import type { ReferenceAssignment, ReferenceGateway } from "../../src/engine/reference.ts";

interface Answer {
  readonly policy: string;
  readonly key: string;
  readonly addresses: readonly Address[];
  /** The gateway in text; undefined: drop. */
  readonly gateway: string | undefined;
  /** How many endpoints of the policy have the gateway. */
  readonly endpoints: number;
}

export function engineAnswers(assignments: readonly Assignment[]): string[] {
  return assignments.map(({ policy, endpoint: { key }, addresses, gateway }) => {
    if (gateway === undefined) {
      return render({ policy, key, addresses, gateway, endpoints: 0 });
    }
    const { entry, node, gatewayIP, egressIPs, endpoints } = gateway;
    const text = renderGateway({ entry, node, gatewayIP, egressIPs });
    return render({ policy, key, addresses, gateway: text, endpoints });
  });
}

export function referenceAnswers(assignments: readonly ReferenceAssignment[]): string[] {
  const counts = new Map<ReferenceGateway | undefined, number>();
  for (const { gateway } of assignments) counts.set(gateway, (counts.get(gateway) ?? 0) + 1);
  return assignments.map(({ policy, endpoint: key, addresses, gateway }) => {
    const endpoints = gateway === undefined ? 0 : (counts.get(gateway) ?? 0);
    return render({ policy, key, addresses, gateway: gateway && textOf(gateway), endpoints });
  });
}

function textOf({ entry: { entry }, node, gatewayIP, egress }: ReferenceGateway): string {
  return renderGateway({ entry, node, gatewayIP, egressIPs: egress?.addresses ?? null });
}

function renderGateway(gateway: {
  readonly entry: number;
  readonly node: string;
  readonly gatewayIP: Address;
  readonly egressIPs: readonly Address[] | null;
}): string {
  const { entry, node, gatewayIP, egressIPs } = gateway;
  const egress = egressIPs?.map(renderAddress).join(",") ?? "unknown";
  return `entry ${entry} ${node} ${renderAddress(gatewayIP)} egress ${egress}`;
}

function render({ policy, key, addresses, gateway, endpoints }: Answer): string {
  const held = addresses.map(renderAddress).join(",");
  return `${policy} ${key} ${held} -> ${gateway ?? "drop"} of ${endpoints}`;
}
