// Reads what the kernel has of network things, whole, through the JSON of `ip` and `bridge`.

import { OperationError } from "../../lib/operation-error.ts";
import type { Address, Family } from "../../net/address.ts";
import { parseAddress, unspecified } from "../../net/address.ts";
import type {
  BridgeEntry,
  KernelState,
  Link,
  LinkAddress,
  Neighbour,
  Route,
} from "../../net/kernel-state.ts";
import type { Prefix } from "../../net/prefix.ts";
import { bitsOf, parsePrefix, prefixOf } from "../../net/prefix.ts";
import { runCommand } from "./command.ts";

/** What the tools print, one text for each list. */
export interface KernelTexts {
  /** `ip -j -d address show` */
  readonly links: string;
  /** `ip -j -N -4 route show table all`, and the same with -6. */
  readonly routes: Readonly<Record<Family, string>>;
  /** `ip -j neighbour show` */
  readonly neighbours: string;
  /** `bridge -j fdb show` */
  readonly bridgeEntries: string;
}

/**
 * The kernel's state in this process's network namespace. The lists are read one beside the other:
 * what changes meanwhile may be in one and not in the next. Throws OperationError.
 */
export async function readKernelState(): Promise<KernelState> {
  const [links, v4, v6, neighbours, bridgeEntries] = await Promise.all([
    runCommand("ip", ["-j", "-d", "address", "show"]),
    runCommand("ip", ["-j", "-N", "-4", "route", "show", "table", "all"]),
    runCommand("ip", ["-j", "-N", "-6", "route", "show", "table", "all"]),
    runCommand("ip", ["-j", "neighbour", "show"]),
    runCommand("bridge", ["-j", "fdb", "show"]),
  ]);
  return parseKernel({ links, routes: { IPv4: v4, IPv6: v6 }, neighbours, bridgeEntries });
}

/** The state that the tools printed. Throws OperationError for what is no JSON. */
export function parseKernel(texts: KernelTexts): KernelState {
  const raw = parseList<RawLink>(texts.links, "address").filter(({ ifindex }) => ifindex > 0);
  const byName = new Map(raw.map(({ ifname, ifindex }) => [ifname, ifindex]));
  const routes = (family: Family) =>
    parseList<RawRoute>(texts.routes[family], "route").flatMap((one) => routesOf(one, family));
  return {
    links: raw.map((one) => linkOf(one, byName)),
    routes: [...routes("IPv4"), ...routes("IPv6")],
    neighbours: parseList<RawNeighbour>(texts.neighbours, "neighbour").flatMap((one) => {
      return neighbourOf(one, byName);
    }),
    bridgeEntries: bridgeEntriesOf(parseList(texts.bridgeEntries, "fdb"), byName),
  };
}

function parseList<T>(text: string, target: string): T[] {
  // Where there is nothing to list, some releases print nothing at all.
  if (text.trim() === "") return [];
  try {
    return JSON.parse(text) as T[];
  } catch (cause) {
    const detail = "its output is not JSON";
    throw new OperationError({ code: "ToolFailed", op: "ip", target, detail, cause });
  }
}

type Indexes = ReadonlyMap<string, number>;

interface RawLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly altnames?: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string };
  readonly address?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly master?: string;
  readonly link_netnsid?: number;
  readonly addr_info?: readonly RawAddress[];
}

interface RawAddress {
  readonly local?: string;
  readonly prefixlen?: number;
  readonly scope?: string;
  readonly secondary?: boolean;
  /** IPv6: the same bit as `secondary` (IFA_F_TEMPORARY of linux/if_addr.h). */
  readonly temporary?: boolean;
  /** Another host has it: duplicate address detection failed, the kernel does not use it. */
  readonly dadfailed?: boolean;
}

function linkOf(raw: RawLink, indexes: Indexes): Link {
  const flags = raw.flags ?? [];
  return {
    ifindex: raw.ifindex,
    name: raw.ifname,
    altNames: raw.altnames ?? [],
    kind: raw.linkinfo?.info_kind ?? "",
    mac: (raw.address ?? "").toLowerCase(),
    mtu: raw.mtu ?? 0,
    up: flags.includes("UP"),
    carrier: flags.includes("LOWER_UP"),
    master: indexes.get(raw.master ?? "") ?? 0,
    peerElsewhere: raw.link_netnsid !== undefined,
    addresses: (raw.addr_info ?? []).flatMap(linkAddressOf),
  };
}

function linkAddressOf(raw: RawAddress): LinkAddress[] {
  const address = parseAddress(raw.local ?? "");
  if (address === undefined || raw.dadfailed === true) return [];
  const length = raw.prefixlen ?? address.length * 8;
  const secondary = raw.secondary === true || raw.temporary === true;
  return [{ address, length, scope: raw.scope ?? "global", secondary }];
}

interface RawHop {
  readonly dev?: string;
  readonly gateway?: string;
  /** A next hop of the other family (RFC 5549). */
  readonly via?: { readonly host?: string };
}

/** Numbers as text, because of -N; what has its default value is left out. */
interface RawRoute extends RawHop {
  readonly type?: string;
  readonly dst?: string;
  readonly from?: string;
  readonly table?: string;
  readonly protocol?: string;
  readonly metric?: number;
  readonly nexthops?: readonly RawHop[];
}

// Of linux/rtnetlink.h.
const RTN_UNICAST = "1";
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTPROT_BOOT = 3;

/** One route for each next hop. */
function routesOf(raw: RawRoute, family: Family): Route[] {
  const destination = destinationOf(raw.dst ?? "", family);
  const table = Number(raw.table ?? RT_TABLE_MAIN);
  if (destination === undefined || table === RT_TABLE_LOCAL) return [];
  // A route for some sources only (`from`) says nothing about the others.
  if ((raw.type ?? RTN_UNICAST) !== RTN_UNICAST || raw.from !== undefined) return [];
  const metric = raw.metric ?? 0;
  const protocol = Number(raw.protocol ?? RTPROT_BOOT);
  return (raw.nexthops ?? [raw]).flatMap((hop): Route[] => {
    if (hop.dev === undefined) return [];
    const via = parseAddress(hop.gateway ?? hop.via?.host ?? "");
    return [{ family, destination, device: hop.dev, via, metric, table, protocol }];
  });
}

function destinationOf(text: string, family: Family): Prefix | undefined {
  if (text === "default") return prefixOf(unspecified(family), 0);
  return parsePrefix(text.includes("/") ? text : `${text}/${bitsOf(family)}`);
}

interface RawNeighbour {
  readonly dst?: string;
  readonly dev?: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

function neighbourOf(raw: RawNeighbour, indexes: Indexes): Neighbour[] {
  const address: Address | undefined = parseAddress(raw.dst ?? "");
  const ifindex = indexes.get(raw.dev ?? "");
  if (address === undefined || ifindex === undefined || raw.lladdr === undefined) return [];
  if (raw.state?.includes("FAILED") === true) return [];
  return [{ address, ifindex, mac: raw.lladdr.toLowerCase() }];
}

interface RawBridgeEntry {
  readonly mac?: string;
  readonly ifname?: string;
  readonly master?: string;
  readonly state?: string;
}

/** Without those of the bridge itself and its ports: their own and multicast addresses. */
function bridgeEntriesOf(raw: readonly RawBridgeEntry[], indexes: Indexes): BridgeEntry[] {
  const entries = new Map<string, BridgeEntry>();
  for (const { mac, ifname, master, state } of raw) {
    const bridge = indexes.get(master ?? "");
    const port = indexes.get(ifname ?? "");
    if (mac === undefined || bridge === undefined || port === undefined) continue;
    if (state === "permanent") continue;
    // A bridge that filters VLANs has an entry for each of them.
    entries.set(`${bridge} ${port} ${mac}`, { mac: mac.toLowerCase(), bridge, port });
  }
  return [...entries.values()];
}
