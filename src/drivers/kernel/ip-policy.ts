// Policy rules and the routes of one protocol number, as ip(8) lists them.

import type { Address, Family } from "../../net/address.ts";
import { parseAddress, unspecified } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import { bitsOf, parsePrefix, prefixOf } from "../../net/prefix.ts";
import { readIp } from "./ip-batch.ts";

/** A rule that looks at nothing but the mark. */
export interface FoundRule {
  readonly priority: number;
  readonly mark: number;
  readonly mask: number;
  readonly table: number;
}

export interface FoundRoute {
  readonly table: number;
  readonly destination: Prefix;
  readonly metric: number;
  /** Undefined: `throw`. */
  readonly device: string | undefined;
  readonly via: Address | undefined;
}

interface ListedRule {
  readonly priority: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly not?: unknown;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly table?: string;
  readonly protocol?: string;
}

interface ListedRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly table?: string;
  readonly metric?: number;
}

/** RTN_UNICAST and RTN_THROW of linux/rtnetlink.h. */
const UNICAST = "1";
const THROW = "9";

/** The rules of a family with this protocol number that ask for the mark alone. */
export async function readMarkRules(family: Family, protocol: number): Promise<FoundRule[]> {
  const listed = await readIp<ListedRule>(family, ["rule", "show"]);
  const plain = listed.filter((rule) => {
    const { src, dst, iif, oif, not } = rule;
    if (rule.protocol !== String(protocol)) return false;
    return (src ?? "all") === "all" && [dst, iif, oif, not].every((part) => part === undefined);
  });
  return plain.flatMap(({ priority, fwmark, fwmask, table }) => {
    if (fwmark === undefined || table === undefined) return [];
    const mask = fwmask === undefined ? 0xffffffff : Number(fwmask);
    return [{ priority, mark: Number(fwmark), mask, table: Number(table) }];
  });
}

/** The routes of a family with this protocol number, in all tables. Throws OperationError. */
export async function readProtocolRoutes(family: Family, protocol: number): Promise<FoundRoute[]> {
  const args = ["route", "show", "table", "all", "proto", String(protocol)];
  const routes: FoundRoute[] = [];
  for (const route of await readIp<ListedRoute>(family, args)) {
    const { type = UNICAST, dst, gateway, via, dev, table, metric = 0 } = route;
    const destination = parseDestination(family, dst);
    if (destination === undefined || (type !== UNICAST && type !== THROW)) continue;
    const nextHop = gateway ?? via?.host;
    routes.push({
      // Without a table it is the main one.
      table: table === undefined ? 254 : Number(table),
      destination,
      metric,
      device: type === THROW ? undefined : dev,
      via: nextHop === undefined ? undefined : parseAddress(nextHop),
    });
  }
  return routes;
}

function parseDestination(family: Family, text: string): Prefix | undefined {
  if (text === "default") return prefixOf(unspecified(family), 0);
  const address = parseAddress(text);
  return address === undefined ? parsePrefix(text) : prefixOf(address, bitsOf(family));
}
