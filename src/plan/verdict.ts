// What happens to a packet that a pod sends, judged from rows alone (rules 7.3, 8.3). The kernel
// programs must say the same.

import { unreachable } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import { renderAddress, unspecified, familyOf } from "../net/address.ts";
import { LpmTable } from "../net/lpm.ts";
import type { Row } from "./row.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY } from "./row.ts";

export type Verdict =
  /** No row: the ordinary path. */
  | { readonly kind: "direct" }
  /** An exclusion: the ordinary path. */
  | { readonly kind: "excluded"; readonly row: Row }
  /** The policy has no gateway, or this gateway has no egress IP. */
  | { readonly kind: "drop"; readonly reason: "NoGateway" | "NoEgressIP"; readonly row: Row }
  /** This node is the gateway and translates to `egressIP`; null: unknown. */
  | { readonly kind: "local"; readonly egressIP: Address | null; readonly row: Row }
  | { readonly kind: "tunnel"; readonly gatewayIP: Address; readonly row: Row };

/** The rows of one source address, ready to be asked. */
export function rowTable(rows: Iterable<Row>, source: Address): LpmTable<Row> {
  const table = new LpmTable<Row>();
  for (const row of rows) if (row.source === source) table.set(row.destination, row);
  return table;
}

/**
 * The verdict for a packet to `destination`, on the node with the gateway IP `nodeIP` (undefined:
 * not a node that can be a gateway).
 */
export function verdictOf(
  table: LpmTable<Row>,
  destination: Address,
  nodeIP: Address | undefined,
): Verdict {
  const row = table.lookup(destination)?.value;
  if (row === undefined) return { kind: "direct" };
  if (row.gatewayIP === EXCLUDED_GATEWAY) return { kind: "excluded", row };
  if (row.gatewayIP === DROP_GATEWAY) return { kind: "drop", reason: "NoGateway", row };
  if (row.gatewayIP !== nodeIP) return { kind: "tunnel", gatewayIP: row.gatewayIP, row };
  if (row.egressIP === unspecified(familyOf(row.source))) {
    return { kind: "drop", reason: "NoEgressIP", row };
  }
  return { kind: "local", egressIP: row.egressIP, row };
}

/** One line, as stories and `explain` show it. */
export function renderVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case "direct":
    case "excluded":
      return verdict.kind;
    case "drop":
      return `drop ${verdict.reason}`;
    case "local":
      return `local ${verdict.egressIP === null ? "unknown" : renderAddress(verdict.egressIP)}`;
    case "tunnel":
      return `tunnel ${renderAddress(verdict.gatewayIP)}`;
    default:
      return unreachable(verdict);
  }
}
