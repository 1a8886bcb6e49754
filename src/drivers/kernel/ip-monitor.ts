// Says that something in the kernel's links, addresses, routes, rules or neighbours changed, by
// listening to `ip monitor`. What changed, a fresh list tells (ip-list.ts).

import type { Monitor, MonitorOptions } from "./monitor.ts";
import { LineCutter, runMonitor } from "./monitor.ts";

/** Neighbours whose MAC address is remembered; at the limit all are forgotten. */
const NEIGHBOURS_MAX = 65_536;
/** NETLINK_ROUTE of linux/netlink.h. */
const NETLINK_ROUTE = 0;

export interface KernelMonitorOptions extends MonitorOptions {
  /** Lines of `ip monitor` that somebody wants to hear of by themselves. */
  readonly heard?: { readonly matches: RegExp; readonly onLine: () => void };
}

/** Listens until it is closed; a monitor that dies is started again. */
export function monitorKernel(options: KernelMonitorOptions): Monitor {
  const args = ["-o", "monitor", "label", "link", "address", "route", "rule", "neigh"];
  return runMonitor(() => {
    const lines = new MonitorLines(options.heard);
    const isNews = (text: string) => lines.push(text);
    return { tool: "ip", args, netlinkProtocol: NETLINK_ROUTE, isNews };
  }, options);
}

/**
 * Which of the monitor's lines are news. Neighbours are confirmed again and again by those who talk
 * to them; news is only another MAC address.
 */
export class MonitorLines {
  readonly #macs = new Map<string, string>();
  readonly #cutter = new LineCutter();
  readonly #heard: KernelMonitorOptions["heard"];

  constructor(heard?: KernelMonitorOptions["heard"]) {
    this.#heard = heard;
  }

  /** Takes output in pieces of any size; true if there was news in it. */
  push(text: string): boolean {
    const lines = this.#cutter.push(text);
    if (lines.some((line) => this.#heard?.matches.test(line))) this.#heard?.onLine();
    // No short cut: each line must be noted.
    return lines.filter((line) => this.#isNews(line)).length > 0;
  }

  #isNews(line: string): boolean {
    const match = NEIGHBOUR.exec(line);
    if (match === null) return !line.startsWith("[NEIGH]");
    const [, deleted, key = "", mac = ""] = match;
    // Not among those that `ip neighbour` lists.
    if (line.trimEnd().endsWith("NOARP")) return false;
    // A bridge tells its entries only when they come, move or go.
    if (key.startsWith("dev ")) return true;
    if (this.#macs.size >= NEIGHBOURS_MAX) this.#macs.clear();
    const before = this.#macs.get(key);
    if (deleted !== undefined) this.#macs.delete(key);
    else this.#macs.set(key, mac);
    return deleted !== undefined || before !== mac;
  }
}

/** `[NEIGH]Deleted ADDRESS dev NAME lladdr MAC STATE`; without an address: a bridge's entry. */
const NEIGHBOUR = /^\[NEIGH\](Deleted )?((?:[0-9a-f.:]+ )?dev \S+)(?: lladdr (\S+))?/;
