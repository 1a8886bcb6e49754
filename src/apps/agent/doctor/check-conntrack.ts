// Checks of what the kernel is set to: connection tracking, forwarding, reverse path filters.

import { counted, percent, thousands } from "../../../lib/text.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";
import { isOwn } from "./mark-uses.ts";
import type { NetworkFacts } from "./network-facts.ts";

/** The share of the table at which a burst may fill it. */
const FULL = 0.75;

/** Numbers as /proc/sys/net/netfilter says them; undefined: nf_conntrack is not there. */
export interface ConntrackUse {
  readonly count: number | undefined;
  readonly max: number | undefined;
}

/** How full the table of connections is. */
export function checkConntrackUse({ count, max }: ConntrackUse): Finding {
  const check = "conntrack";
  if (count === undefined || max === undefined) {
    return ok(check, "the kernel has not loaded nf_conntrack yet; the agent's rules load it");
  }
  const share = percent(count, max);
  const use = `${thousands(count)} of ${thousands(max)} connections tracked (${share})`;
  if (count < max * FULL) return ok(check, use);
  const remedy = `raise it: sysctl -w net.netfilter.nf_conntrack_max=${max * 2}`;
  const message = `${use}: a full table drops new connections`;
  return bad("warning", { check, message, remedy });
}

/** Targets and matches of iptables that make the kernel track connections. */
const TRACKING_XT = /^(MASQUERADE|SNAT|DNAT|REDIRECT|CONNMARK|connmark|conntrack|state|CT)$/;
const TRACKING_SAVED = /-m (conntrack|connmark|state) |-j (MASQUERADE|SNAT|DNAT|REDIRECT|CONNMARK)/;

/**
 * Whether connections are tracked before we come (rule 8.5): the kernel does it once a rule of
 * this network namespace asks for it.
 */
export function checkTracking(
  facts: Pick<NetworkFacts, "nftables" | "iptables">,
  { count }: ConntrackUse,
  ownTable: string,
): Finding {
  const check = "tracking";
  if ((count ?? 0) > 0) return ok(check, `${counted(count ?? 0, "connection")} tracked already`);
  if (TRACKING_SAVED.test(facts.iptables) || facts.nftables.some((one) => tracks(one, ownTable))) {
    return ok(check, "rules of this node make the kernel track connections");
  }
  const message =
    "nothing here makes the kernel track connections: those that are open when the agent starts " +
    "count as new";
  const remedy =
    "start the agent before pods open connections, or expect those that policies cover to be cut " +
    "once; a network plugin that masquerades, or kube-proxy, tracks them";
  return bad("warning", { check, message, remedy });
}

function tracks(object: unknown, own: string): boolean {
  const { rule, chain } = object as {
    rule?: { family: string; table: string; expr?: readonly unknown[] };
    chain?: { family: string; table: string; type?: string };
  };
  if (chain !== undefined) return chain.type === "nat" && !isOwn(chain, own);
  if (rule === undefined || isOwn(rule, own)) return false;
  return (rule.expr ?? []).some(asksConntrack);
}

/** True if something of conntrack stands anywhere in an expression. */
function asksConntrack(expression: unknown): boolean {
  if (typeof expression !== "object" || expression === null) return false;
  return Object.entries(expression).some(([key, value]) => {
    if (key === "ct" || key === "ct helper") return true;
    const { name } = (value ?? {}) as { name?: unknown };
    if (key === "xt" && typeof name === "string" && TRACKING_XT.test(name)) return true;
    return asksConntrack(value);
  });
}

/** Whether the node forwards; values of /proc/sys as text, undefined where there is none. */
export function checkForwarding(v4: string | undefined, v6: string | undefined): Finding[] {
  const check = "forwarding";
  const on = (text: string | undefined) => text?.trim() === "1";
  if (!on(v4)) {
    const message = "net.ipv4.ip_forward is not 1: this node forwards no packets of pods";
    return [bad("error", { check, message, remedy: "sysctl -w net.ipv4.ip_forward=1" })];
  }
  if (v6 === undefined || on(v6)) {
    return [ok(check, `IPv4 is forwarded, IPv6 ${v6 === undefined ? "is off" : "too"}`)];
  }
  const message = "net.ipv6.conf.all.forwarding is not 1: IPv6 of pods is not forwarded";
  const remedy = "on a dual-stack cluster: sysctl -w net.ipv6.conf.all.forwarding=1";
  return [ok(check, "IPv4 is forwarded"), bad("warning", { check, message, remedy })];
}

/** Devices named before they are only counted. */
const DEVICES_TOLD_MAX = 4;

/** Device -> rp_filter; `all` and `default` among them. */
export function checkReversePath(values: ReadonlyMap<string, number>): Finding {
  const check = "rp_filter";
  const all = values.get("all") ?? 0;
  const byValue = new Map<number, string[]>();
  for (const [device, own] of [...values].sort()) {
    if (["all", "default", "lo"].includes(device)) continue;
    // The stricter of both counts (net/ipv4: IN_DEV_RPFILTER).
    const value = Math.max(all, own);
    byValue.set(value, [...(byValue.get(value) ?? []), device]);
  }
  const told = [...byValue].sort((a, b) => a[0] - b[0]).map(([value, devices]) => {
    const many = devices.length > DEVICES_TOLD_MAX;
    return `${value} on ${many ? `${devices.length} devices` : devices.join(", ")}`;
  });
  const what = told.length === 0 ? "no device has it" : told.join("; ");
  return ok(check, `${what}; Sluice works with 0, 1 and 2 and leaves it as it is`);
}
