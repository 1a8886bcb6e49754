// The chains that decide what becomes of a packet's flow: in prerouting, and for this node's own
// errors in output. A flow's class and index stand in the connection's mark. Packets carry a
// proposal of our programs in theirs when they arrive, the decision when they leave these chains
// (mark.ts).
//
// A packet of a flow that goes on as it began meets as few rules as possible: they are a third of
// what a packet costs here (bench/packets.ts).

import type { DatapathSettings } from "./datapath.ts";
import { INDEX_NONE, INDEX_UNKNOWN_GATEWAY, shiftMark } from "./mark.ts";
import type { NamedChain } from "./ruleset-words.ts";
import { base, called, hex, hold, Marks, pass } from "./ruleset-words.ts";

/** mangle + 1: after connection tracking, before DNAT and the routing decision. */
const DECIDE_PRIORITY = -149;

/** The time-outs of policy flows of TCP. */
export const POLICY_TCP = "policy_tcp";

/** The chain of a flow: `begin_1001` begins flows of class 1 with index 1. */
export function flowName(name: string, flow: number): string {
  return `${name}_${flow.toString(16)}`;
}

/** Three chains for each flow, given as marks that are not shifted. */
export function flowChains(flows: readonly number[], settings: DatapathSettings): NamedChain[] {
  const marks = new Marks(settings);
  return flows.flatMap((flow): NamedChain[] => {
    const mark = hex(shiftMark(flow, settings.markShift));
    return [
      // Most packets of policies: the flow began as it would begin now, so the mark is right.
      [
        flowName("offer", flow),
        called([`ct direction original ${marks.bits("ct")} == ${mark} accept`, "goto proposed"]),
      ],
      [flowName("begin", flow), called([`ct mark set ct mark & ${marks.others} | ${mark}`])],
      [flowName("keep", flow), called([`meta mark set meta mark & ${marks.others} | ${mark}`])],
    ];
  });
}

/** The chains that decide, whatever flows there may be. `hasTimeouts`: see RulesetInput. */
export function decidingChains(settings: DatapathSettings, hasTimeouts: boolean): NamedChain[] {
  const marks = new Marks(settings);
  const chains: Record<string, readonly string[]> = {
    unmarked: [`${marks.isAny("ct")} goto remembered`],
    proposed: [
      `${marks.isClass("meta", "gateway")} goto request`,
      `${marks.isAny("ct")} goto known`,
      // An unanswered flow stays "new"; once it is confirmed it has begun, on the direct path.
      "ct state new ct status & confirmed == 0 goto opened",
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
      `${marks.isNone("ct")} ct state new ct status & confirmed == 0 goto passing`,
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
    unserved: [
      `${marks.isClass("ct", "tunnel")} goto drop_UnknownGateway`,
      "goto drop_NoEgressIP",
    ],
    cleared: [`meta mark set meta mark & ${marks.others}`],
    ...beginning(settings, hasTimeouts),
  };
  const decide = [
    `${marks.bits("meta")} vmap @offer`,
    // Whoever else uses the bits of our index without a class.
    `${marks.isNone("meta")} goto unmarked`,
    "goto proposed",
  ];
  return [
    ...errorChains(marks),
    ...Object.entries(chains).map(([name, rules]): NamedChain => [name, called(rules)]),
    base("decide", { type: "filter", hook: "prerouting", priority: DECIDE_PRIORITY }, decide),
  ];
}

/** Whether a new flow begins: where it comes from a pod of this node, where from the tunnel. */
function beginning(
  settings: DatapathSettings,
  hasTimeouts: boolean,
): Record<string, readonly string[]> {
  const marks = new Marks(settings);
  const held = settings.unclassified === "allow" ? [] : [hold("ip"), hold("ip6")];
  return {
    // By a pod of this node, or by who uses its address before its device is found (rule 8.9).
    opened: [...held, "goto passing"],
    // Its former owner's flows are just being forgotten, its rows just being written (rule 8.10).
    passing: [pass("ip"), pass("ip6"), "goto begun"],
    begun: [
      ...(hasTimeouts ? [`meta l4proto tcp ct timeout set "${POLICY_TCP}"`] : []),
      `${marks.bits("meta")} vmap @begin`,
      ...refusals(marks),
    ],
  };
}

/**
 * In output: this node says of an answer that it is too big, for example, or refuses it. That must
 * reach the outside as the flow's own packets do: the gateway knows the pod and not this node,
 * whose address the outside must not see either.
 */
function errorChains(marks: Marks): NamedChain[] {
  const ofTunnel = marks.isClass("ct", "tunnel");
  return [
    [
      "error",
      called([
        `${ofTunnel} meta nfproto ipv4 ip saddr set ct original ip saddr`,
        `${ofTunnel} meta nfproto ipv6 ip6 saddr set ct original ip6 saddr`,
        `${marks.bits("ct")} vmap @keep`,
        "goto unserved",
      ]),
    ],
    base("decide_error", { type: "route", hook: "output", priority: DECIDE_PRIORITY }, [
      `ct state related ct direction original ${marks.isAny("ct")} goto error`,
    ]),
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
