// The node's network beside nftables: the tunnel device, policy rules, routes, settings of the
// kernel, and what connection tracking must forget. Only differences are written, and each apply
// reads first, so that what somebody else removed comes back.
//
// Ours are: the device by its name and kind; rules by protocol number and priority; routes by
// protocol number and table; settings by what we remember of them.

import { runCommand } from "../drivers/kernel/command.ts";
import { deleteFlowsFrom, deleteFlowsMarked } from "../drivers/kernel/conntrack.ts";
import { runIpBatch } from "../drivers/kernel/ip-batch.ts";
import { readMarkRules, readProtocolRoutes } from "../drivers/kernel/ip-policy.ts";
import { hasIPv6, readSysctl, writeSysctl } from "../drivers/kernel/sysctl.ts";
import type { Address, Family } from "../net/address.ts";
import { FAMILIES } from "../net/address.ts";
import type { KernelState } from "../net/kernel-state.ts";
import type { DatapathSettings, NodeDatapath } from "../reconcile/datapath.ts";
import { CLASS_MASK, encodeMark, shiftMark } from "../reconcile/mark.ts";
import { diffRouting, isOurRule, shiftsOf } from "../reconcile/routing-diff.ts";
import type { Routing } from "../reconcile/routing.ts";
import { buildRouting, isOurTable } from "../reconcile/routing.ts";
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
   * `underlayMtu` in bytes. A device of its name that is not ours is refused: `ForeignDevice`.
   */
  ensureTunnel(underlayMtu: number): Promise<number>;
  /**
   * Rules, routes and settings as desired; the tunnel device must be there. `prune`: all sources
   * are synced, so what of ours nobody wants may go.
   */
  apply(
    desired: NodeDatapath,
    kernel: KernelState,
    how: { readonly prune: boolean },
  ): Promise<NetworkOutcome>;
  /** Makes connection tracking forget all flows that these addresses opened (rule 8.10). */
  forget(addresses: readonly Address[]): Promise<void>;
}

/** Touches nothing before it is used. */
export function openNetwork({ settings, stateDirectory }: NetworkOptions): Network {
  const sysctls = new FoundSysctls(stateDirectory);
  return {
    ensureTunnel: (underlayMtu) => ensureTunnel(settings, underlayMtu),
    async apply(desired, { routes }, { prune }) {
      let written = setTunnelSysctls(settings.tunnelDevice);
      const families = FAMILIES.filter((family) => carries(settings, family));
      const pairs = await Promise.all(
        families.map(async (family) => {
          const actual = await readOurs(settings, family);
          return { family, wanted: buildRouting({ family, settings, desired, routes }), actual };
        }),
      );
      // IPv6 has no rp_filter.
      const marked = new Set(
        pairs
          .filter(({ family }) => family === "IPv4")
          .flatMap(({ wanted }) => wanted.marked.map(validMark)),
      );
      for (const path of marked) written += sysctls.set(path, ENABLED) ? 1 : 0;
      const changes = pairs.map((pair) => ({ ...pair, ...diffRouting({ settings, ...pair }) }));
      for (const { family, writes } of changes) {
        await runIpBatch(family, writes);
        written += writes.length;
      }
      if (!prune) return { written, deleted: 0 };
      let deleted = 0;
      const found = shiftsOf(pairs.flatMap(({ actual }) => actual.rules));
      // Of an agent that was told otherwise: nobody reads these marks any more.
      await forgetShifted(found.filter((shift) => shift !== settings.markShift));
      for (const { family, deletes } of changes) {
        await runIpBatch(family, deletes);
        deleted += deletes.length;
      }
      deleted += sysctls.restore({ kept: marked, ours: ENABLED });
      return { written, deleted };
    },
    async forget(addresses) {
      for (const address of addresses) await deleteFlowsFrom(address);
    },
  };
}

/**
 * Takes all of it off the node, flows that began as policy traffic included; our nftables table is
 * gone by then. May be called again, and where nothing is. Throws OperationError.
 */
export async function removeNetwork({ settings, stateDirectory }: NetworkOptions): Promise<void> {
  const wanted = { rules: [], routes: [], marked: [] };
  const families = FAMILIES.filter(hasFamily);
  const found = await Promise.all(
    families.map(async (family) => ({ family, actual: await readOurs(settings, family) })),
  );
  // What is bound to leave through the tunnel as it is would leave as it is without it. Nothing
  // gets our marks any more, and the rules know best where in a mark our bits were.
  await forgetShifted(shiftsOf(found.flatMap(({ actual }) => actual.rules)));
  for (const { family, actual } of found) {
    await runIpBatch(family, diffRouting({ family, settings, wanted, actual }).deletes);
  }
  const { tunnelDevice } = settings;
  if (await isOurTunnel(tunnelDevice)) {
    await runCommand("ip", ["link", "del", "dev", tunnelDevice], { target: tunnelDevice });
  }
  new FoundSysctls(stateDirectory).restore({ kept: new Set(), ours: ENABLED });
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
