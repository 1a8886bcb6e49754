// The chains that guard what enters the tunnel, what pods send, and what leaves; and the
// translation to egress IPs, which stands between them. Each lets what is not policy traffic go
// after one or two rules.

import type { NftHook } from "../net/nft-table.ts";
import type { DatapathSettings } from "./datapath.ts";
import { INDEX_REPLY } from "./mark.ts";
import type { NamedChain } from "./ruleset-words.ts";
import { base, called, hold, Marks, pass } from "./ruleset-words.ts";

// Kubernetes' and the CNIs' chains stand at the plain priorities of nf_ip_hook_priorities.
/** raw: before connection tracking. */
const UNTRACK_PRIORITY = -300;
/** filter - 10: before a firewall's own rules accept anything. */
const GUARD_PRIORITY = -10;
/** srcnat - 10: the first rule that binds a flow's source wins, so before masquerading. */
const TRANSLATE_PRIORITY = 90;
/** srcnat + 10: sees what really leaves. */
const LEAVING_PRIORITY = 110;

/** Bytes of an IP header and a TCP header without options. */
const TCP_HEADERS = { IPv4: 40, IPv6: 60 };

/** What guards depend on beside the settings. */
export interface TunnelEnd {
  /** This node's address for other nodes, as text. */
  readonly self: string;
  /** Bytes. */
  readonly mtu: number;
}

export function guardChains(settings: DatapathSettings, { self, mtu }: TunnelEnd): NamedChain[] {
  const marks = new Marks(settings);
  return [
    ...untrackedChains(settings, self),
    ...forwardChains(settings, marks),
    ...tunnelGuard(settings, self),
    ...leavingChains(settings, marks, mtu),
  ];
}

/**
 * In raw: what nodes send each other through the tunnel is nobody's connection. Its two directions
 * have ports of their own, so no entry would ever be answered; a full table drops such ones first
 * and takes no others, and established flows inside would end with them.
 */
function untrackedChains({ tunnelPort }: DatapathSettings, self: string): NamedChain[] {
  const hook = (name: string): NftHook => ({
    ...{ type: "filter", hook: name, priority: UNTRACK_PRIORITY },
  });
  return [
    base("untrack_in", hook("prerouting"), [`udp dport ${tunnelPort} ip daddr ${self} notrack`]),
    base("untrack_out", hook("output"), [`udp dport ${tunnelPort} ip saddr ${self} notrack`]),
  ];
}

/** In input: who may send to the tunnel. Here, and not earlier, DNAT has had its say. */
function tunnelGuard({ tunnelPort }: DatapathSettings, self: string): NamedChain[] {
  return [
    [
      "tunnel",
      called([
        // Underlay addresses are IPv4 (rule 4.2). What a pod sends to a node's address its own node
        // stops (guard_forward); to another one that this node has, a virtual or an egress IP, it
        // may come masqueraded as its node. A pod that forges a node's address comes from where
        // that node is not, whatever rp_filter says (rule 8.9).
        `ip daddr ${self} ip saddr @nodes fib saddr . iif oif exists accept`,
        "goto drop_TunnelIntruder",
      ]),
    ],
    base("guard_input", { type: "filter", hook: "input", priority: GUARD_PRIORITY }, [
      `udp dport ${tunnelPort} goto tunnel`,
    ]),
  ];
}

/** In forward: what pods may not do. */
function forwardChains(
  { tunnelPort, unclassified }: DatapathSettings,
  marks: Marks,
): NamedChain[] {
  const leaving = (ip: "ip" | "ip6", digit: 4 | 6) => [
    pass(ip),
    `ct status dnat ${ip} saddr @selected${digit} goto drop_ServiceToOutside`,
    ...(unclassified === "allow"
      ? []
      : [hold(ip), "ct state invalid goto drop_Invalid"]),
  ];
  return [
    ["leaving4", called(leaving("ip", 4))],
    ["leaving6", called(leaving("ip6", 6))],
    base("guard_forward", { type: "filter", hook: "forward", priority: GUARD_PRIORITY }, [
      `${marks.isAny("meta")} accept`,
      "ct state established,related accept",
      // Pods are masqueraded: the other node would take them for this one.
      `udp dport ${tunnelPort} ip daddr @nodes goto drop_TunnelIntruder`,
      "ip saddr @own_pods4 ip daddr != @cluster4 goto leaving4",
      "ip6 saddr @own_pods6 ip6 daddr != @cluster6 goto leaving6",
    ]),
  ];
}

/** In postrouting: the egress IP, and nothing else; and what the tunnel needs. */
function leavingChains(
  { tunnelDevice }: DatapathSettings,
  marks: Marks,
  tunnelMtu: number,
): NamedChain[] {
  return [
    base("translate", { type: "nat", hook: "postrouting", priority: TRANSLATE_PRIORITY }, [
      `${marks.isNone("meta")} accept`,
      // To itself, which keeps the CNI from masquerading: the gateway must see the pod.
      `oifname "${tunnelDevice}" meta nfproto ipv4 snat ip to ip saddr`,
      `oifname "${tunnelDevice}" meta nfproto ipv6 snat ip6 to ip6 saddr`,
      `${marks.isClass("meta", "tunnel")} accept`,
      `meta nfproto ipv4 snat ip to meta mark & ${marks.index} map @snat4`,
      `meta nfproto ipv6 snat ip6 to meta mark & ${marks.index} map @snat6`,
    ]),
    // Both ends say here how much they take, since all that they send comes by here. Fixed numbers:
    // the route's MTU misses the tunnel on the first packet.
    [
      "clamp",
      called([
        `meta nfproto ipv4 tcp option maxseg size set ${tunnelMtu - TCP_HEADERS.IPv4}`,
        `meta nfproto ipv6 tcp option maxseg size set ${tunnelMtu - TCP_HEADERS.IPv6}`,
      ]),
    ],
    [
      "leaving_policy",
      called([
        `oifname "${tunnelDevice}" goto into_tunnel`,
        `${marks.isClass("meta", "tunnel")} goto leaving_tunnel`,
        "ip saddr @egress4 accept",
        "ip6 saddr @egress6 accept",
        "goto inside",
      ]),
    ],
    ["into_tunnel", called(["tcp flags & (syn | rst) == syn goto clamp"])],
    [
      "leaving_tunnel",
      called([
        `${marks.bits("meta")} == ${marks.value("tunnel", INDEX_REPLY)} accept`,
        "goto inside",
      ]),
    ],
    // Answers to pods, and nothing else, have both our mark and a destination in the cluster.
    [
      "inside",
      called(["ip daddr @cluster4 accept", "ip6 daddr @cluster6 accept", "goto drop_Untranslated"]),
    ],
    base("guard_leaving", { type: "filter", hook: "postrouting", priority: LEAVING_PRIORITY }, [
      `${marks.isAny("meta")} goto leaving_policy`,
    ]),
  ];
}
