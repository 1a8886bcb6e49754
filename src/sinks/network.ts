// The node's network beside nftables: the tunnel device, policy rules, routes, settings of the
// kernel, and what connection tracking must forget. Only differences are written. What was found or
// made right is not looked at again until it should be otherwise, its devices changed, or somebody
// doubts: then what somebody else removed comes back.
//
// Ours are: the device by its name and kind; rules by protocol number and priority; routes by
// protocol number and table; settings by what we remember of them.

import { present } from "../lib/assert.ts";
import { sameValue } from "../lib/equal.ts";
import { runCommand } from "../drivers/kernel/command.ts";
import { deleteFlowsFrom, deleteFlowsMarked } from "../drivers/kernel/conntrack.ts";
import { runIpBatch } from "../drivers/kernel/ip-batch.ts";
import { readMarkRules, readProtocolRoutes } from "../drivers/kernel/ip-policy.ts";
import { hasIPv6, readSysctl, writeSysctl } from "../drivers/kernel/sysctl.ts";
import type { Address, Family } from "../net/address.ts";
import { FAMILIES } from "../net/address.ts";
import type { KernelState, Link } from "../net/kernel-state.ts";
import { LpmTable } from "../net/lpm.ts";
import type { Prefix } from "../net/prefix.ts";
import type { DatapathSettings, NodeDatapath } from "../reconcile/datapath.ts";
import { CLASS_MASK, encodeMark, shiftMark } from "../reconcile/mark.ts";
import { diffRouting, isOurRule, shiftsOf } from "../reconcile/routing-diff.ts";
import type { Routing } from "../reconcile/routing.ts";
import { buildRouting, isOurTable } from "../reconcile/routing.ts";
import { tunnelMtuOn } from "../reconcile/tunnel.ts";
import { FoundSysctls } from "./found-sysctls.ts";
import { ensureTunnel, isOurTunnel } from "./tunnel-device.ts";

export interface NetworkOptions {
  readonly settings: DatapathSettings;
  /** Remembers settings of the kernel as they were before ours. */
  readonly stateDirectory: string;
}

/** How many rules, routes and settings of the kernel were changed. */
export interface NetworkOutcome {
  readonly written: number;
  readonly deleted: number;
}

/** One call at a time. All throw nothing but OperationError. */
export interface Network {
  /**
   * Makes the tunnel device if it is missing, repairs it if it differs, and gives its ifindex.
   * `underlayMtu` in bytes; `links`: those of the kernel now. A device of its name that is not ours
   * is refused: `ForeignDevice`.
   */
  ensureTunnel(underlayMtu: number, links: readonly Link[]): Promise<number>;
  /**
   * Rules, routes and settings as desired; the tunnel device must be there. `prune`: all sources
   * are synced, so what of ours nobody wants may go.
   */
  apply(
    desired: NodeDatapath,
    kernel: KernelState,
    how: { readonly prune: boolean },
  ): Promise<NetworkOutcome>;
  /**
   * Makes connection tracking forget the flows that these addresses opened to the outside (rule
   * 8.10). `inside`: what is not; those flows are no business of ours.
   */
  forget(
    addresses: readonly Address[],
    where?: { readonly inside: readonly Prefix[] },
  ): Promise<void>;
  /** Something of ours may have been changed: the next calls look what is there. */
  doubt(): void;
}

/** Touches nothing before it is used. */
export function openNetwork(options: NetworkOptions): Network {
  return new NodeNetwork(options);
}

/** What was right when it was looked at last. */
interface Settled {
  readonly wanted: readonly Routing[];
  /** Of the devices that our routes name: the kernel drops routes with them, and says nothing. */
  readonly links: readonly Link[];
}

class NodeNetwork implements Network {
  readonly #settings: DatapathSettings;
  readonly #sysctls: FoundSysctls;
  #tunnel: { readonly link: Link; readonly underlayMtu: number } | undefined;
  #settled: Settled | undefined;

  constructor({ settings, stateDirectory }: NetworkOptions) {
    this.#settings = settings;
    this.#sysctls = new FoundSysctls(stateDirectory);
  }

  async ensureTunnel(underlayMtu: number, links: readonly Link[]): Promise<number> {
    const link = links.find(({ name }) => name === this.#settings.tunnelDevice);
    const now = link === undefined ? undefined : { link, underlayMtu };
    if (now !== undefined && sameValue(now, this.#tunnel)) return now.link.ifindex;
    this.#tunnel = undefined;
    const ifindex = await ensureTunnel(this.#settings, underlayMtu);
    // What was just repaired is known as it was before.
    const right = now?.link.ifindex === ifindex && now.link.mtu === tunnelMtuOn(underlayMtu);
    if (right && now.link.up) this.#tunnel = now;
    return ifindex;
  }

  async apply(
    desired: NodeDatapath,
    { routes, links }: KernelState,
    { prune }: { readonly prune: boolean },
  ): Promise<NetworkOutcome> {
    const { tunnelDevice } = this.#settings;
    const written = setTunnelSysctls(tunnelDevice);
    const families = FAMILIES.filter((family) => carries(this.#settings, family));
    const wanted = families.map((family) => {
      return buildRouting({ family, settings: this.#settings, desired, routes });
    });
    const devices = new Set([tunnelDevice, ...wanted.flatMap(({ marked }) => marked)]);
    const now: Settled = { wanted, links: links.filter(({ name }) => devices.has(name)) };
    if (sameValue(now, this.#settled)) return { written, deleted: 0 };
    this.#settled = undefined;
    const outcome = await this.#write(families, wanted, { prune });
    if (outcome.left === 0) this.#settled = now;
    return { written: written + outcome.written, deleted: outcome.deleted };
  }

  async forget(
    addresses: readonly Address[],
    { inside }: { readonly inside: readonly Prefix[] } = { inside: [] },
  ): Promise<void> {
    if (addresses.length === 0) return;
    const table = new LpmTable<true>();
    for (const prefix of inside) table.set(prefix, true);
    const isOutside = (destination: Address) => table.lookup(destination) === undefined;
    for (const address of addresses) await deleteFlowsFrom(address, isOutside);
  }

  doubt(): void {
    this.#tunnel = undefined;
    this.#settled = undefined;
  }

  /** `left`: what nobody wants, and may not go yet. */
  async #write(
    families: readonly Family[],
    routings: readonly Routing[],
    { prune }: { readonly prune: boolean },
  ): Promise<NetworkOutcome & { readonly left: number }> {
    const settings = this.#settings;
    const changes = await Promise.all(
      families.map(async (family, i) => {
        const wanted = present(routings[i], family);
        const actual = await readOurs(settings, family);
        const difference = diffRouting({ family, settings, wanted, actual });
        return { family, shifts: shiftsOf(actual.rules), ...difference };
      }),
    );
    // IPv6 has no rp_filter.
    const marked = new Set(routings[families.indexOf("IPv4")]?.marked.map(validMark));
    let written = 0;
    for (const path of marked) written += this.#sysctls.set(path, ENABLED) ? 1 : 0;
    for (const { family, writes } of changes) {
      await runIpBatch(family, writes);
      written += writes.length;
    }
    const unwanted = changes.reduce((sum, { deletes }) => sum + deletes.length, 0);
    if (!prune) return { written, deleted: 0, left: unwanted };
    const found = new Set(changes.flatMap(({ shifts }) => shifts));
    found.delete(settings.markShift);
    // Of an agent that was told otherwise: nobody reads these marks any more.
    await forgetShifted([...found]);
    for (const { family, deletes } of changes) await runIpBatch(family, deletes);
    const restored = this.#sysctls.restore({ kept: marked, ours: ENABLED });
    return { written, deleted: unwanted + restored, left: 0 };
  }
}

/**
 * Takes all of it off the node, flows that began as policy traffic included; our nftables table is
 * gone by then. False: there was nothing. Throws OperationError.
 */
export async function removeNetwork({
  settings,
  stateDirectory,
}: NetworkOptions): Promise<boolean> {
  const wanted = { rules: [], routes: [], marked: [] };
  const families = FAMILIES.filter(hasFamily);
  const found = await Promise.all(
    families.map(async (family) => ({ family, actual: await readOurs(settings, family) })),
  );
  // What is bound to leave through the tunnel as it is would leave as it is without it. Nothing
  // gets our marks any more, and the rules know best where in a mark our bits were.
  await forgetShifted(shiftsOf(found.flatMap(({ actual }) => actual.rules)));
  let removed = 0;
  for (const { family, actual } of found) {
    const { deletes } = diffRouting({ family, settings, wanted, actual });
    await runIpBatch(family, deletes);
    removed += deletes.length;
  }
  const { tunnelDevice } = settings;
  if (await isOurTunnel(tunnelDevice)) {
    await runCommand("ip", ["link", "del", "dev", tunnelDevice], { target: tunnelDevice });
    removed++;
  }
  removed += new FoundSysctls(stateDirectory).restore({ kept: new Set(), ours: ENABLED });
  return removed > 0;
}

/** Forgets all flows of policies whose marks are shifted so. */
async function forgetShifted(shifts: readonly number[]): Promise<void> {
  for (const shift of shifts) {
    for (const kind of MARK_CLASSES) {
      await deleteFlowsMarked(encodeMark(kind, 0, shift), shiftMark(CLASS_MASK, shift));
    }
  }
}

const MARK_CLASSES = ["tunnel", "gateway", "local"] as const;

const ENABLED = "1";

/** rp_filter's reverse look-up asks with the packet's mark (net/ipv4/fib_frontend.c). */
function validMark(device: string): string {
  return `net/ipv4/conf/${device}/src_valid_mark`;
}

/** Those of our own device, which end with it. How many were written. */
function setTunnelSysctls(device: string): number {
  const paths = [validMark(device), `net/ipv4/conf/${device}/forwarding`];
  if (hasIPv6(device)) paths.push(`net/ipv6/conf/${device}/forwarding`);
  const wrong = paths.filter((path) => readSysctl(path) !== ENABLED);
  for (const path of wrong) writeSysctl(path, ENABLED);
  return wrong.length;
}

/** Whether routes of this family may lead into the tunnel. */
function carries({ tunnelDevice }: DatapathSettings, family: Family): boolean {
  return family === "IPv4" || hasIPv6(tunnelDevice);
}

/** Whether the kernel knows it at all. */
function hasFamily(family: Family): boolean {
  return family === "IPv4" || readSysctl("net/ipv6/conf/all/forwarding") !== undefined;
}

async function readOurs(
  settings: DatapathSettings,
  family: Family,
): Promise<Pick<Routing, "rules" | "routes">> {
  const [rules, routes] = await Promise.all([
    readMarkRules(family, settings.routeProtocol),
    readProtocolRoutes(family, settings.routeProtocol),
  ]);
  return {
    rules: rules.filter((rule) => isOurRule(settings, rule)),
    routes: routes.filter(({ table }) => isOurTable(settings, table)),
  };
}
