// What the node's network has, as the tools print it: read once, judged by the other files. What
// cannot be read is empty: the check of tools says why.

import { runCommand } from "../../../drivers/kernel/command.ts";
import { OperationError } from "../../../lib/operation-error.ts";
import { isInPath } from "./check-process.ts";

export interface DoctorLink {
  readonly name: string;
  /** As `ip -d link` says it: veth, bridge, vxlan; empty for hardware. */
  readonly kind: string;
  /** The other end is in another network namespace: most likely a pod's device. */
  readonly peerElsewhere: boolean;
  /** The name of the bridge or bond that it belongs to; empty: none. */
  readonly master: string;
  /** UDP port of a vxlan device; 0 for others. */
  readonly port: number;
  /** It is a vxlan device that takes the far end from each packet, as ours does. */
  readonly external: boolean;
}

export interface DoctorRule {
  readonly priority: number;
  /** Undefined: the rule asks for no mark. */
  readonly mark: number | undefined;
  readonly mask: number;
  /** A name or a number. */
  readonly table: string;
  /** It asks for nothing: every packet takes it. */
  readonly always: boolean;
}

/** A BPF program at a device's tc hook. */
export interface DoctorProgram {
  readonly device: string;
  readonly hook: "ingress" | "egress";
  readonly name: string;
}

export interface NetworkFacts {
  readonly links: readonly DoctorLink[];
  /** Of both families. */
  readonly rules: readonly DoctorRule[];
  /** Numbers of tables that routes are in, with the protocols of these routes. */
  readonly tables: ReadonlyMap<number, ReadonlySet<string>>;
  readonly programs: readonly DoctorProgram[];
  /** What `nft -j list ruleset` gave below `nftables`. */
  readonly nftables: readonly unknown[];
  /** What iptables-save and ip6tables-save print. */
  readonly iptables: string;
}

interface RawLink {
  readonly ifname: string;
  readonly link_netnsid?: number;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly port?: number; readonly external?: boolean };
  };
}

/** `path`: the environment's PATH, for tools that need not be there. */
export async function readNetworkFacts(path: string): Promise<NetworkFacts> {
  const [links, rules4, rules6, routes4, routes6, nftables, programs, ...saved] =
    await Promise.all([
      json("ip", ["-j", "-d", "link", "show"]),
      json("ip", ["-j", "-4", "rule", "show"]),
      json("ip", ["-j", "-6", "rule", "show"]),
      json("ip", ["-j", "-N", "-4", "route", "show", "table", "all"]),
      json("ip", ["-j", "-N", "-6", "route", "show", "table", "all"]),
      text("nft", ["-j", "-t", "list", "ruleset"]),
      readPrograms(),
      ...["iptables-save", "ip6tables-save"].map((tool) => {
        return isInPath(tool, path) ? text(tool, []) : Promise.resolve("");
      }),
    ]);
  return {
    links: (links as RawLink[]).map(linkOf),
    rules: [...rules4, ...rules6].map((rule) => ruleOf(rule as RawRule)),
    tables: tablesOf([...routes4, ...routes6] as RawRoute[]),
    programs,
    nftables: parseNftables(nftables),
    iptables: saved.join(""),
  };
}

function linkOf({ ifname, link_netnsid, master = "", linkinfo }: RawLink): DoctorLink {
  return {
    name: ifname,
    kind: linkinfo?.info_kind ?? "",
    peerElsewhere: link_netnsid !== undefined,
    master,
    port: linkinfo?.info_kind === "vxlan" ? (linkinfo.info_data?.port ?? 0) : 0,
    external: linkinfo?.info_kind === "vxlan" && linkinfo.info_data?.external === true,
  };
}

interface RawRule {
  readonly priority: number;
  readonly src?: string;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly table?: string;
}

/** The keys that `ip -j rule` gives a rule that asks for nothing. */
const ASKS_NOTHING = new Set(["priority", "src", "table", "protocol"]);
const WHOLE_MASK = 0xffffffff;

/** A rule as `ip -j rule` prints it. */
export function ruleOf(raw: RawRule): DoctorRule {
  const { priority, src, fwmark, fwmask, table = "" } = raw;
  const asks = Object.keys(raw).some((key) => !ASKS_NOTHING.has(key));
  return {
    priority,
    mark: fwmark === undefined ? undefined : Number(fwmark),
    mask: fwmask === undefined ? WHOLE_MASK : Number(fwmask),
    table,
    always: !asks && (src === undefined || src === "all"),
  };
}

/** RTPROT_BOOT of linux/rtnetlink.h: what `ip route add` makes, and `ip` does not mention. */
const PROTOCOL_BOOT = "3";

interface RawRoute {
  readonly table?: string;
  readonly protocol?: string;
}

function tablesOf(routes: readonly RawRoute[]): Map<number, Set<string>> {
  const tables = new Map<number, Set<string>>();
  for (const { table, protocol = PROTOCOL_BOOT } of routes) {
    if (table === undefined) continue;
    const protocols = tables.get(Number(table)) ?? new Set();
    tables.set(Number(table), protocols.add(protocol));
  }
  return tables;
}

interface RawFilter {
  readonly kind?: string;
  readonly options?: {
    readonly bpf_name?: string;
    readonly prog?: { readonly name?: string };
  };
}

/** The programs at tc hooks; those attached as TCX links are not seen by tc. */
async function readPrograms(): Promise<DoctorProgram[]> {
  const qdiscs = (await json("tc", ["-j", "qdisc", "show"])) as { kind?: string; dev?: string }[];
  const devices = qdiscs.filter(({ kind }) => kind === "clsact" || kind === "ingress");
  const programs: DoctorProgram[] = [];
  for (const { dev: device = "" } of devices) {
    for (const hook of ["ingress", "egress"] as const) {
      const filters = await json("tc", ["-j", "filter", "show", "dev", device, hook]);
      for (const { options } of filters as readonly RawFilter[]) {
        const name = options?.prog?.name ?? options?.bpf_name;
        if (name !== undefined) programs.push({ device, hook, name });
      }
    }
  }
  return programs;
}

/** The objects that `nft -j` printed. */
export function parseNftables(printed: string): readonly unknown[] {
  if (printed.trim() === "") return [];
  return (JSON.parse(printed) as { nftables: readonly unknown[] }).nftables;
}

async function json(tool: string, args: readonly string[]): Promise<readonly unknown[]> {
  const printed = await text(tool, args);
  return printed.trim() === "" ? [] : (JSON.parse(printed) as readonly unknown[]);
}

async function text(tool: string, args: readonly string[]): Promise<string> {
  try {
    return await runCommand(tool, args);
  } catch (error) {
    if (error instanceof OperationError) return "";
    throw error;
  }
}
