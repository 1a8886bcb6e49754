// The sinks of the network on a node in miniature, together as an agent uses them.

import type { TestContext } from "node:test";
import type { DatapathSettings, NodeDatapath } from "../../src/reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { encodeMark } from "../../src/reconcile/mark.ts";
import type { Network } from "../../src/sinks/network.ts";
import { openNetwork, removeNetwork } from "../../src/sinks/network.ts";
import type { Nftables } from "../../src/sinks/nftables.ts";
import { openNftables, removeNftables } from "../../src/sinks/nftables.ts";
import { DATAPATH, KERNEL, Router } from "./router.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export const SYNCED = { prune: true, tunnelMtu: 1450 };
export const STARTING = { prune: false, tunnelMtu: 1450 };

/** Marks as our programs propose them, not shifted. */
export const local = (index: number) => encodeMark("local", index, 0);
export const tunnel = (index: number) => encodeMark("tunnel", index, 0);
export const gateway = (index: number) => encodeMark("gateway", index, 0);

/** A table's sink; the table goes with the test. */
export function openTable(t: TestContext, more: Partial<DatapathSettings> = {}): Nftables {
  const settings = { ...DEFAULT_SETTINGS, ...more };
  t.after(() => removeNftables(settings));
  return openNftables(settings);
}

/** The sink of rules and routes; all that it made goes with the test. */
export function openRouting(t: TestContext, more: Partial<DatapathSettings> = {}): Network {
  const settings = { ...DEFAULT_SETTINGS, ...more };
  const options = { settings, stateDirectory: temporaryDirectory(t) };
  t.after(() => removeNetwork(options));
  return openNetwork(options);
}

/** A node with tunnel device, rules, routes and table as `desired`. */
export async function startNode(
  t: TestContext,
  desired: NodeDatapath = DATAPATH,
  more: Partial<DatapathSettings> = {},
): Promise<{ router: Router; table: Nftables; network: Network }> {
  const router = await Router.start(t);
  const network = openRouting(t, more);
  await network.ensureTunnel(1500, []);
  await network.apply(desired, KERNEL, SYNCED);
  const table = openTable(t, more);
  await table.apply(desired, SYNCED);
  return { router, table, network };
}

/** The reasons for which something was dropped while a test of this process looked. */
export const reached = new Set<string>();

/** What was dropped so far: reason -> packets, without zeros. */
export async function dropped(table: Nftables): Promise<object> {
  const counters = [...(await table.counters())].filter(([, packets]) => packets > 0);
  for (const [reason] of counters) reached.add(reason);
  return Object.fromEntries(counters);
}
