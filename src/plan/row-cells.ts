// How the tables of rows speak of a row's gateway: words for the two gateways that are none, and an
// egress IP only where it is used. The documents say what the maps hold.

import type { Emit, Screen } from "../lib/screen.ts";
import type { Address } from "../net/address.ts";
import { familyOf, renderAddress, unspecified } from "../net/address.ts";
import { paragraph } from "./render-issues.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY } from "./row.ts";

/** What a row of a plan and an entry of a map have in common. */
export interface GatewayValue {
  /** Null: unknown. */
  readonly egressIP: Address | null;
  readonly gatewayIP: Address;
  /** Null: unknown, or the map's layout has none. */
  readonly ifindex: number | null;
}

export interface GatewayCells {
  readonly egressIP: string;
  readonly gatewayIP: string;
  readonly ifindex: string;
}

/**
 * The cells of one row. `own`: the gateway IPs of the node whose row it is; undefined: not known,
 * so that every egress IP in the row is shown.
 */
export function gatewayCells(
  { egressIP, gatewayIP, ifindex }: GatewayValue,
  own: ReadonlySet<Address> | undefined,
  screen: Screen,
): GatewayCells {
  const dash = screen.paint("faint", screen.glyphs.dash);
  const gateway = gatewayCell(gatewayIP, screen);
  const none = egressIP !== null && egressIP === unspecified(familyOf(egressIP));
  const used = isGateway(gatewayIP) && (own === undefined ? !none : own.has(gatewayIP));
  if (!used) return { egressIP: dash, gatewayIP: gateway, ifindex: dash };
  const unknown = screen.paint("faint", "unknown");
  const known = egressIP === null ? unknown : renderAddress(egressIP);
  return {
    // Rule 6.5: this gateway drops.
    egressIP: none ? screen.paint("error", "none") : known,
    gatewayIP: gateway,
    ifindex: ifindex === null ? unknown : String(ifindex),
  };
}

/** What the words and dashes mean, below the table. */
export function renderLegend(screen: Screen, emit: Emit): void {
  const { dash, dot } = screen.glyphs;
  const text =
    `${dash} no egress IP of this node is used ${dot} excluded (0.0.0.1) leaves by the ordinary ` +
    `path ${dot} drop (0.0.0.0) has no gateway`;
  paragraph(text, { first: "  ", rest: "  " }, screen, (line) => emit(screen.paint("faint", line)));
}

/** True for a row that names a node. */
function isGateway(gatewayIP: Address): boolean {
  return gatewayIP !== DROP_GATEWAY && gatewayIP !== EXCLUDED_GATEWAY;
}

function gatewayCell(gatewayIP: Address, screen: Screen): string {
  if (gatewayIP === DROP_GATEWAY) return screen.paint("error", "drop");
  if (gatewayIP === EXCLUDED_GATEWAY) return screen.paint("faint", "excluded");
  return renderAddress(gatewayIP);
}
