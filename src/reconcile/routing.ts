// Rules and routes that carry policy traffic: what a node should have, per family. What differs
// from what is there is the business of routing-diff.ts.
//
//   rule  (gateway | index) -> table + 16 + index     an egress IP on another device than the
//   rule  (local | index)   -> table + 4112 + index   default route's: that device's routes
//   rule  gateway           -> table + 1              pods: through the tunnel
//   rule  tunnel            -> table                  all but the cluster: through the tunnel
//
// The gateway's rules serve requests, their answers, and the reverse look-up of rp_filter for both
// (net/ipv4/fib_frontend.c, fib_validate_source: with src_valid_mark it asks with the mark).

import type { Address, Family } from "../net/address.ts";
import { familyOf, isLinkLocal, unspecified } from "../net/address.ts";
import type { Route } from "../net/kernel-state.ts";
import type { Prefix } from "../net/prefix.ts";
import { comparePrefixes, containsPrefix } from "../net/prefix.ts";
import { prefixAddress, prefixFamily, prefixLength, prefixOf } from "../net/prefix.ts";
import type { DatapathSettings, NodeDatapath } from "./datapath.ts";
import { CLASS_MASK, encodeMark, MARK_MASK, shiftMark } from "./mark.ts";

/** Priorities from `rulePriority` on that are ours. */
export const RULE_PRIORITIES = 32;
/** Tables from `routeTable` on that are ours. */
export const ROUTE_TABLES = 8192;

/** Where the rules of single egress IPs stand; they come before those of a whole class. */
const PRIORITY_EGRESS = 0;
const PRIORITY_GATEWAY = 1;
const PRIORITY_TUNNEL = 2;
const TABLE_TUNNEL = 0;
const TABLE_GATEWAY = 1;
const TABLE_GATEWAY_EGRESS = 16;
const TABLE_LOCAL_EGRESS = 4112;

const MAIN_TABLE = 254;
/** What the kernel takes where none is given: none in IPv4, IP6_RT_PRIO_USER in IPv6. */
const METRIC: Readonly<Record<Family, number>> = { IPv4: 0, IPv6: 1024 };

/** `ip rule`: packets with this mark, of the bits of the mask, are routed by this table. */
export interface PolicyRule {
  readonly priority: number;
  readonly mark: number;
  readonly mask: number;
  readonly table: number;
}

export interface TableRoute {
  readonly table: number;
  readonly destination: Prefix;
  /** Smaller is preferred. */
  readonly metric: number;
  /** Undefined: `throw`, the look-up goes on with the next rule. */
  readonly device: string | undefined;
  readonly via: Address | undefined;
}

/** Of one family; no two routes have table, destination and metric in common. */
export interface Routing {
  readonly rules: readonly PolicyRule[];
  readonly routes: readonly TableRoute[];
  /** Devices whose answers only these rules let in: rp_filter must ask with the mark. */
  readonly marked: readonly string[];
}

export interface RoutingInput {
  readonly family: Family;
  readonly settings: DatapathSettings;
  readonly desired: NodeDatapath;
  /** Of the kernel, ours included. */
  readonly routes: readonly Route[];
}

/** What a node should have. */
export function buildRouting(input: RoutingInput): Routing {
  const { family, settings, desired } = input;
  const { markShift: shift, tunnelDevice } = settings;
  const tables = new Tables(input);
  const ours = (prefix: Prefix) => prefixFamily(prefix) === family;
  const cluster = desired.clusterPrefixes.filter(ours);
  const pods = desired.podPrefixes.filter(ours);
  const everything = prefixOf(unspecified(family), 0);
  const classMask = shiftMark(CLASS_MASK, shift);

  const rules: PolicyRule[] = [];
  const addRule = (priority: number, mark: number, mask: number, table: number) =>
    rules.push({ priority: settings.rulePriority + priority, mark, mask, table });
  addRule(PRIORITY_TUNNEL, encodeMark("tunnel", 0, shift), classMask, tables.at(TABLE_TUNNEL));
  tables.add(TABLE_TUNNEL, cluster, undefined);
  tables.add(TABLE_TUNNEL, [everything], tunnelDevice);
  addRule(PRIORITY_GATEWAY, encodeMark("gateway", 0, shift), classMask, tables.at(TABLE_GATEWAY));
  tables.add(TABLE_GATEWAY, pods, tunnelDevice);

  const usual = bestRoute(input, (route) => route.table === MAIN_TABLE && isDefault(route))?.device;
  const mask = shiftMark(MARK_MASK, shift);
  for (const { index, address, device } of desired.egressIPs) {
    if (familyOf(address) !== family || device === undefined || device === usual) continue;
    const gateway = TABLE_GATEWAY_EGRESS + index;
    addRule(PRIORITY_EGRESS, encodeMark("gateway", index, shift), mask, tables.at(gateway));
    tables.add(gateway, pods, tunnelDevice);
    tables.addDevice(gateway, device);
    const local = TABLE_LOCAL_EGRESS + index;
    addRule(PRIORITY_EGRESS, encodeMark("local", index, shift), mask, tables.at(local));
    tables.add(local, cluster, undefined);
    tables.addDevice(local, device);
  }
  return { rules, routes: tables.routes, marked: tables.devices };
}

/** Routes by table; the first one for a destination stays. */
class Tables {
  readonly #input: RoutingInput;
  readonly #routes = new Map<string, TableRoute>();
  /** Device -> its routes, one for each destination. */
  readonly #ofDevice = new Map<string, readonly Route[]>();

  constructor(input: RoutingInput) {
    this.#input = input;
  }

  get routes(): readonly TableRoute[] {
    return [...this.#routes.values()];
  }

  /** Whose routes were added, sorted. */
  get devices(): readonly string[] {
    return [...this.#ofDevice.keys()].sort();
  }

  at(offset: number): number {
    return this.#input.settings.routeTable + offset;
  }

  /** Sends the destinations into a device, or with undefined back to the other rules. */
  add(offset: number, destinations: readonly Prefix[], device: string | undefined): void {
    for (const destination of destinations) this.#put(offset, destination, device, undefined);
  }

  /** All that a device reaches outside the cluster. */
  addDevice(offset: number, device: string): void {
    let routes = this.#ofDevice.get(device);
    if (routes === undefined) {
      routes = routesOfDevice(this.#input, device);
      this.#ofDevice.set(device, routes);
    }
    for (const { destination, via } of routes) this.#put(offset, destination, device, via);
  }

  #put(
    offset: number,
    destination: Prefix,
    device: string | undefined,
    via: Address | undefined,
  ): void {
    const metric = METRIC[this.#input.family];
    const route = { table: this.at(offset), destination, metric, device, via };
    const key = slotOf(route);
    if (!this.#routes.has(key)) this.#routes.set(key, route);
  }
}

/** What the kernel allows only one route for. */
export function slotOf({ table, destination, metric }: TableRoute): string {
  return `${table} ${metric} ${destination}`;
}

/** A device's routes as others set them: the best for each destination, by destination. */
function routesOfDevice(input: RoutingInput, device: string): Route[] {
  const cluster = input.desired.clusterPrefixes;
  const best = new Map<Prefix, Route>();
  for (const route of input.routes) {
    const { destination } = route;
    if (route.device !== device || !isForeign(input, route)) continue;
    if (isLinkLocal(prefixAddress(destination))) continue;
    // It would be more specific than what sends the inside of the cluster its own way.
    if (cluster.some((prefix) => containsPrefix(prefix, destination))) continue;
    const other = best.get(destination);
    if (other === undefined || compareRoutes(route, other) < 0) best.set(destination, route);
  }
  return [...best.values()].sort((a, b) => comparePrefixes(a.destination, b.destination));
}

function bestRoute(input: RoutingInput, is: (route: Route) => boolean): Route | undefined {
  let best: Route | undefined;
  for (const route of input.routes) {
    if (!isForeign(input, route) || !is(route)) continue;
    if (best === undefined || compareRoutes(route, best) < 0) best = route;
  }
  return best;
}

/** Of this family and in no table of ours. */
function isForeign({ family, settings }: RoutingInput, route: Route): boolean {
  return route.family === family && !isOurTable(settings, route.table);
}

/** The lower metric first, then the main table, then the lower table. */
function compareRoutes(a: Route, b: Route): number {
  const rank = ({ table }: Route) => (table === MAIN_TABLE ? -1 : table);
  return a.metric - b.metric || rank(a) - rank(b);
}

function isDefault({ destination }: Route): boolean {
  return prefixLength(destination) === 0;
}

export function isOurTable({ routeTable }: DatapathSettings, table: number): boolean {
  return table >= routeTable && table < routeTable + ROUTE_TABLES;
}
