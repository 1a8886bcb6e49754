// The chains of our nftables table: what the kernel asks of each packet, and in which order. Every
// base chain lets a packet that is not policy traffic go after one or two rules.
//
//   raw          tunnel packets are nobody's connection
//   prerouting   decide: new flows take the proposal, known ones what they began with
//   input        guard: who may send to the tunnel
//   forward      guard: tunnel port, unclassified pods, services that lead outside; clamp the MSS
//   postrouting  translate, then guard: nothing of ours leaves with another address
//
// A flow's class and index stand in the connection's mark. Packets carry a proposal of our programs
// in theirs when they arrive, and the decision when they leave the first chain (mark.ts).

import type { DatapathSettings } from "./datapath.ts";
import { INDEX_NONE, INDEX_REPLY, INDEX_UNKNOWN_GATEWAY, shiftMark } from "./mark.ts";
import type { NamedChain } from "./ruleset-words.ts";
import { base, called, hex, Marks } from "./ruleset-words.ts";

// Kubernetes' and the CNIs' chains stand at the plain priorities of nf_ip_hook_priorities.
/** raw: before connection tracking. */
const UNTRACKED_PRIORITY = -300;
/** mangle + 1: after connection tracking, before DNAT and the routing decision. */
const DECIDE_PRIORITY = -149;
/** filter - 10: before a firewall's own rules accept anything. */
const GUARD_PRIORITY = -10;
/** srcnat - 10: the first rule that binds a flow's source wins, so before masquerading. */
const TRANSLATE_PRIORITY = 90;
/** srcnat + 10: sees what really leaves. */
const LEAVING_PRIORITY = 110;

/** Bytes of an IP header and a TCP header without options. */
const TCP_HEADERS = { IPv4: 40, IPv6: 60 };

/** The time-outs of policy flows of TCP. */
export const POLICY_TCP = "policy_tcp";

/** The chain of a flow: `begin_1001` begins flows of class 1 with index 1. */
export function flowName(name: string, flow: number): string {
  return `${name}_${flow.toString(16)}`;
}

/** Two chains for each flow, given as marks that are not shifted. */
export function flowChains(flows: readonly number[], settings: DatapathSettings): NamedChain[] {
  const { others } = new Marks(settings);
  return flows.flatMap((flow): NamedChain[] => {
    const mark = hex(shiftMark(flow, settings.markShift));
    return [
      [flowName("begin", flow), called([`ct mark set ct mark & ${others} | ${mark}`])],
      [flowName("keep", flow), called([`meta mark set meta mark & ${others} | ${mark}`])],
    ];
  });
}

/** What the chains depend on; see RulesetInput. */
export interface ChainsInput {
  readonly settings: DatapathSettings;
  readonly tunnelMtu: number;
  readonly hasTimeouts: boolean;
}

/** The chains that are there whatever is desired. */
export function standingChains({ settings, tunnelMtu, hasTimeouts }: ChainsInput): NamedChain[] {
  const marks = new Marks(settings);
  return [
    ...untrackedChains(settings),
    ...decidingChains(marks, hasTimeouts),
    ...forwardChains(settings, marks, tunnelMtu),
    ...tunnelGuard(settings),
    ...leavingChains(settings, marks),
  ];
}

/**
 * Before connection tracking: what nodes send each other through the tunnel. Its two directions
 * have ports of their own, so no entry would ever be answered; a full table drops such ones first,
 * and takes no others: established flows would end with them.
 */
function untrackedChains({ tunnelPort }: DatapathSettings): NamedChain[] {
  const hook = { type: "filter", priority: UNTRACKED_PRIORITY } as const;
  return [
    base("untracked_in", { ...hook, hook: "prerouting" }, [
      `udp dport ${tunnelPort} ip saddr @nodes fib daddr type local notrack`,
    ]),
    base("untracked_out", { ...hook, hook: "output" }, [
      `udp dport ${tunnelPort} ip daddr @nodes notrack`,
    ]),
  ];
}

/** In prerouting: what becomes of a packet's proposal. */
function decidingChains(marks: Marks, hasTimeouts: boolean): NamedChain[] {
  const chains: Record<string, readonly string[]> = {
    proposed: [
      `${marks.isClass("meta", "gateway")} goto request`,
      `${marks.bits("meta")} == ${marks.value("tunnel", INDEX_REPLY)} goto answer`,
      `${marks.isAny("ct")} goto known`,
      // An unanswered flow stays "new"; once it is confirmed it has begun, on the direct path.
      "ct state new ct status & confirmed == 0 goto begun",
      "ct state new,established,related goto cleared",
      "goto drop_Invalid",
    ],
    // From a pod of this node, in a flow that began as policy traffic: as it began (rule 8.5).
    known: [
      "ct direction reply goto cleared",
      `${marks.isClass("ct", "gateway")} goto drop_Invalid`,
      `${marks.bits("ct")} vmap @keep`,
      "goto unserved",
    ],
    // From the tunnel, to be translated here.
    request: [
      `${marks.isClass("ct", "gateway")} goto requested`,
      `${marks.isNone("ct")} ct state new ct status & confirmed == 0 goto begun`,
      "goto drop_Invalid",
    ],
    requested: [
      "ct direction reply goto drop_Invalid",
      `${marks.bits("ct")} vmap @keep`,
      "goto unserved",
    ],
    // From the tunnel, for a pod of this node. The mark stays: rp_filter asks with it.
    answer: [
      `ct state established,related ${marks.isClass("ct", "tunnel")} accept`,
      "goto drop_UnknownFlow",
    ],
    // Without a proposal: answers from outside, and pods whose rows went while the flow lives on.
    remembered: [
      `ct direction reply ${marks.isClass("ct", "tunnel")} accept`,
      // Requests of such a flow come from the tunnel: this one borrows somebody's egress IP.
      `ct direction original ${marks.isClass("ct", "gateway")} goto drop_Invalid`,
      `${marks.bits("ct")} vmap @keep`,
      // An answer without its egress IP finds no way by itself; a request would leave as it is.
      "ct direction original goto unserved",
    ],
    begun: [
      ...(hasTimeouts ? [`meta l4proto tcp ct timeout set "${POLICY_TCP}"`] : []),
      `${marks.bits("meta")} vmap @begin`,
      ...refusals(marks),
    ],
    unserved: [
      `${marks.isClass("ct", "tunnel")} goto drop_UnknownGateway`,
      "goto drop_NoEgressIP",
    ],
    cleared: [`meta mark set meta mark & ${marks.others}`],
  };
  const decide = [
    `${marks.isAny("meta")} goto proposed`,
    `${marks.isAny("ct")} goto remembered`,
  ];
  return [
    ...DROPS.map(dropping),
    ...Object.entries(chains).map(([name, rules]): NamedChain => [name, called(rules)]),
    base("decide", { type: "filter", hook: "prerouting", priority: DECIDE_PRIORITY }, decide),
  ];
}

/** What a new flow is told that no index serves; the last rule fits all that is left. */
function refusals(marks: Marks): string[] {
  const verdicts = [
    `${marks.value("tunnel", INDEX_NONE)} : goto drop_NoGateway`,
    `${marks.value("gateway", INDEX_NONE)} : goto drop_NoRowAtGateway`,
    `${marks.value("tunnel", INDEX_UNKNOWN_GATEWAY)} : goto drop_UnknownGateway`,
  ];
  return [
    `${marks.bits("meta")} vmap { ${verdicts.join(", ")} }`,
    `${marks.isClass("meta", "tunnel")} goto drop_UnknownGateway`,
    "goto drop_NoEgressIP",
  ];
}

/** In input: who may send to the tunnel. Here, and not earlier, DNAT has had its say. */
function tunnelGuard({ tunnelPort }: DatapathSettings): NamedChain[] {
  return [
    [
      "tunnel",
      called([
        // The underlay is IPv4 (rule 4.2).
        "meta nfproto ipv6 goto drop_TunnelIntruder",
        "ip saddr != @nodes goto drop_TunnelIntruder",
        // A pod that forges a node's address comes from where that node is not, whatever rp_filter
        // says: a request that passed would leave with somebody's egress IP (rule 8.9).
        "fib saddr . iif oif missing goto drop_TunnelIntruder",
      ]),
    ],
    base("guard_input", { type: "filter", hook: "input", priority: GUARD_PRIORITY }, [
      `udp dport ${tunnelPort} goto tunnel`,
    ]),
  ];
}

/** In forward: what pods may not do, and what the tunnel needs. */
function forwardChains(
  { tunnelPort, unclassified }: DatapathSettings,
  marks: Marks,
  tunnelMtu: number,
): NamedChain[] {
  const clamps = [
    `meta nfproto ipv4 tcp option maxseg size set ${tunnelMtu - TCP_HEADERS.IPv4}`,
    `meta nfproto ipv6 tcp option maxseg size set ${tunnelMtu - TCP_HEADERS.IPv6}`,
  ];
  const leaving = (ip: "ip" | "ip6", digit: 4 | 6) => [
    `ct status dnat ${ip} saddr @selected${digit} goto drop_ServiceToOutside`,
    ...(unclassified === "allow"
      ? []
      : [
          `iifname . ${ip} saddr != @classified${digit} goto drop_Unclassified`,
          "ct state invalid goto drop_Invalid",
        ]),
  ];
  return [
    // Fixed numbers: the route's MTU misses the tunnel on the first packet.
    ["clamp", called(clamps)],
    [
      "forward_policy",
      called([
        `${marks.isClass("meta", "local")} accept`,
        "tcp flags & (syn | rst) == syn goto clamp",
      ]),
    ],
    ["leaving4", called(leaving("ip", 4))],
    ["leaving6", called(leaving("ip6", 6))],
    base("guard_forward", { type: "filter", hook: "forward", priority: GUARD_PRIORITY }, [
      `${marks.isAny("meta")} goto forward_policy`,
      "ct state established,related accept",
      // Pods are masqueraded: the other node would take them for this one.
      `udp dport ${tunnelPort} ip daddr @nodes goto drop_TunnelIntruder`,
      "ip saddr @own_pods4 ip daddr != @cluster4 goto leaving4",
      "ip6 saddr @own_pods6 ip6 daddr != @cluster6 goto leaving6",
    ]),
  ];
}

/** In postrouting: the egress IP, and nothing else. */
function leavingChains({ tunnelDevice }: DatapathSettings, marks: Marks): NamedChain[] {
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
    [
      "leaving_policy",
      called([
        `${marks.isClass("meta", "tunnel")} goto leaving_tunnel`,
        "ip saddr @egress4 accept",
        "ip6 saddr @egress6 accept",
        "goto inside",
      ]),
    ],
    [
      "leaving_tunnel",
      called([
        `oifname "${tunnelDevice}" accept`,
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

/** The reasons that chains lead to, as named in plan/reason.ts. */
const DROPS = [
  "NoGateway",
  "UnknownGateway",
  "NoRowAtGateway",
  "NoEgressIP",
  "Invalid",
  "UnknownFlow",
  "Unclassified",
  "ServiceToOutside",
  "TunnelIntruder",
  "Untranslated",
];

function dropping(reason: string): NamedChain {
  return [`drop_${reason}`, called([`counter name ${reason} drop`])];
}
