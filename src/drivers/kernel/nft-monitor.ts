// Says that something of one nftables table was removed: by us, or by somebody who flushes the
// whole ruleset, as restarts of firewall services do.

import type { Monitor, MonitorOptions } from "./monitor.ts";
import { LineCutter, runMonitor } from "./monitor.ts";

/** NETLINK_NETFILTER of linux/netlink.h. */
const NETLINK_NETFILTER = 12;

/** Listens until it is closed, to removals from the table of the family inet. */
export function monitorTable(table: string, options: MonitorOptions): Monitor {
  const args = ["monitor", "destroy"];
  return runMonitor(() => {
    const cutter = new LineCutter();
    const isNews = (text: string) => cutter.push(text).some((line) => concerns(line, table));
    return { tool: "nft", args, netlinkProtocol: NETLINK_NETFILTER, isNews };
  }, options);
}

/** Lines like `delete rule inet sluice decide handle 7`. */
function concerns(line: string, table: string): boolean {
  const [, , family, name] = line.split(" ");
  return family === "inet" && name === table;
}
