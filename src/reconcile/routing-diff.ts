// Rules and routes of ours that are there against those that should be: as lines for `ip -batch`.

import { familyOf, renderAddress } from "../net/address.ts";
import type { Family } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import type { DatapathSettings } from "./datapath.ts";
import { CLASS_MASK, MARK_SHIFT_MAX, shiftMark } from "./mark.ts";
import type { PolicyRule, Routing, TableRoute } from "./routing.ts";
import { RULE_PRIORITIES, slotOf } from "./routing.ts";

export interface RoutingChanges {
  /** Routes come before the rules that lead to them. */
  readonly writes: readonly string[];
  /** Rules go before their routes. */
  readonly deletes: readonly string[];
}

export interface RoutingPair {
  readonly family: Family;
  readonly settings: DatapathSettings;
  readonly wanted: Routing;
  /** Ours only: see isOurRule and isOurTable. */
  readonly actual: Pick<Routing, "rules" | "routes">;
}

/** What is to be written and deleted, in this order. */
export function diffRouting({ family, settings, wanted, actual }: RoutingPair): RoutingChanges {
  const { routeProtocol } = settings;
  const there = new Set(actual.routes.map(routeKey));
  const thereRules = new Set(actual.rules.map(ruleKey));
  const wantedRules = new Set(wanted.rules.map(ruleKey));
  const routes = wanted.routes.filter((route) => !there.has(routeKey(route)));
  const rules = wanted.rules.filter((rule) => !thereRules.has(ruleKey(rule)));
  const unwanted = actual.rules.filter((rule) => !wantedRules.has(ruleKey(rule)));
  return {
    writes: [
      ...routes.map((route) => `route replace ${renderRoute(family, route, routeProtocol)}`),
      ...rules.map((rule) => `rule add ${renderRule(rule, routeProtocol)}`),
    ],
    deletes: [
      ...unwanted.map((rule) => `rule del ${renderRule(rule, routeProtocol)}`),
      ...superfluous(wanted.routes, actual.routes, there).map(
        (route) => `route del ${renderRoute(family, route, routeProtocol)}`,
      ),
    ],
  };
}

/** Routes to delete: nobody wants them, and no write replaces them. */
function superfluous(
  wanted: readonly TableRoute[],
  actual: readonly TableRoute[],
  there: ReadonlySet<string>,
): TableRoute[] {
  const bySlot = new Map(wanted.map((route) => [slotOf(route), routeKey(route)]));
  return actual.filter((route) => {
    const instead = bySlot.get(slotOf(route));
    if (instead === undefined) return true;
    return instead !== routeKey(route) && there.has(instead);
  });
}

function routeKey(route: TableRoute): string {
  return `${slotOf(route)} ${route.device ?? "throw"} ${route.via ?? ""}`;
}

function ruleKey({ priority, mark, mask, table }: PolicyRule): string {
  return `${priority} ${mark}/${mask} ${table}`;
}

function renderRule({ priority, mark, mask, table }: PolicyRule, protocol: number): string {
  const marked = `fwmark 0x${mark.toString(16)}/0x${mask.toString(16)}`;
  return `priority ${priority} ${marked} table ${table} protocol ${protocol}`;
}

function renderRoute(family: Family, route: TableRoute, protocol: number): string {
  const { destination, device, via, table, metric } = route;
  const kind = device === undefined ? "throw" : "unicast";
  const parts = [kind, renderPrefix(destination)];
  if (via !== undefined) {
    const foreign = familyOf(via) === family ? "" : "inet6 ";
    parts.push(`via ${foreign}${renderAddress(via)}`);
  }
  if (device !== undefined) parts.push(`dev ${device}`);
  // The router's own subnet may be in another table: it is on this link since others said so.
  if (via !== undefined) parts.push("onlink");
  parts.push(`table ${table} proto ${protocol}`);
  if (metric !== 0) parts.push(`metric ${metric}`);
  return parts.join(" ");
}

/** Within our priorities; that it has our protocol number is known of those that are read. */
export function isOurRule(settings: DatapathSettings, { priority }: PolicyRule): boolean {
  const { rulePriority } = settings;
  return priority >= rulePriority && priority < rulePriority + RULE_PRIORITIES;
}

/** How far these rules of ours, of an agent with whatever settings, have our bits shifted. */
export function shiftsOf(rules: readonly PolicyRule[]): number[] {
  const masks = new Set(rules.map(({ mask }) => mask));
  const shifts = Array.from({ length: MARK_SHIFT_MAX + 1 }, (_, shift) => shift);
  return shifts.filter((shift) => masks.has(shiftMark(CLASS_MASK, shift)));
}
