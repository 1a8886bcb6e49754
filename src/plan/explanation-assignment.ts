// Gateways and distribution of an explanation in words (rules 4, 5 and 6).

import { unreachable } from "../lib/assert.ts";
import { counted, thousands } from "../lib/text.ts";
import { renderAddress } from "../net/address.ts";
import type { Fact, Reason } from "./explanation-reasons.ts";
import { renderFailure, renderPlainSelector } from "./explanation-selectors.ts";
import type {
  AssignmentExplanation,
  EgressExplanation,
  GatewayExplanation,
  NearNode,
  Resolution,
} from "./explanation.ts";

/** The rule that defines each strategy. */
const RULES = { "round-robin": "5.1", "cilium-hash": "5.2", rendezvous: "5.3" } as const;
/** Names of nodes that are listed before the rest is counted. */
const NAMES_MAX = 4;

/** How each gateway entry of a policy resolved, and how one was chosen: two reasons. */
export function assignmentReasons(policy: string, assignment: AssignmentExplanation): Reason[] {
  const { distribution, distributionFrom } = assignment;
  const source = distributionFrom === "default" ? "the default" : "its annotation";
  return [
    { title: `Gateways of ${policy} [4.1, 6.8]`, facts: assignment.gateways.map(gatewayFact) },
    {
      title: `Distribution of ${policy}: ${distribution}, ${source} [${RULES[distribution]}, 5.6]`,
      facts: choiceFacts(assignment),
    },
  ];
}

function gatewayFact({ path, nodeSelector, resolution }: GatewayExplanation): Fact {
  return {
    label: path.replace(/^spec\./, ""),
    text: `${renderPlainSelector(nodeSelector)} ${renderResolution(resolution)}`,
    tone: resolution.kind === "resolved" ? "good" : "warning",
  };
}

function renderResolution(resolution: Resolution): string {
  switch (resolution.kind) {
    case "resolved": {
      const { node, gatewayIP, alsoMatched, skipped, egress } = resolution;
      const also = alsoMatched.length === 0 ? "" : `, before ${names(alsoMatched)} by name`;
      const without =
        skipped.length === 0 ? "" : ` (${names(skipped)} without internal IPv4 address)`;
      const ip = egress === undefined ? unknownEgress(node) : renderEgress(egress);
      return `resolves to ${node}, ${renderAddress(gatewayIP)}${also}${without}; ${ip}`;
    }
    case "no-address":
      return `matches ${names(resolution.nodes)} without internal IPv4 address: left out`;
    case "no-match":
      return `matches no node: left out${nearest(resolution.nearest)}`;
    default:
      return unreachable(resolution);
  }
}

function nearest(nodes: readonly NearNode[]): string {
  if (nodes.length === 0) return "; no node is known";
  const each = nodes.map(({ node, failed }) => `${node} (${failed.map(renderFailure).join(", ")})`);
  return `; nearest ${each.join(", ")}`;
}

function unknownEgress(node: string): string {
  return `egress IP unknown, no NodeState describes ${node} (kubectl get nodestates) [6.8]`;
}

function renderEgress({ rule, addresses, interface: device, problem }: EgressExplanation): string {
  const ips = addresses.map(renderAddress).join(", ");
  const found = ips === "" ? "no egress IP" : `egress IP ${ips}`;
  const on = device === "" ? "" : ` on ${device}`;
  const origin = {
    "6.1": "as interface says",
    "6.2": "as egressIP says",
    "6.3": "of the default route",
  }[rule];
  return `${found}${on}, ${origin} [${rule}]${problem === undefined ? "" : `: ${problem}`}`;
}

function names(nodes: readonly string[]): string {
  const rest = nodes.length - NAMES_MAX;
  const listed = nodes.slice(0, NAMES_MAX).join(", ");
  return rest > 0 ? `${listed} and ${thousands(rest)} more` : listed;
}

function choiceFacts({ choice, order, gateways }: AssignmentExplanation): Fact[] {
  const name = (entry: number) => entryName(gateways, entry);
  const listed = (entries: readonly number[]) => entries.map(name).join(", ");
  switch (choice.kind) {
    case "none":
      return [{ label: "gateway", text: "no entry resolves: drop [4.3]", tone: "error" }];
    case "round-robin": {
      const place = choice.rank % order.length;
      return [
        { label: "order", text: `${listed(order)}, by node name, egressIP, interface` },
        {
          label: "endpoint",
          text: `place ${choice.rank} of ${counted(choice.endpoints, "endpoint")}, from 0, \
by address [5.4]`,
        },
        {
          label: "gateway",
          text: `${choice.rank} mod ${order.length} = ${place}: ${name(order[place] as number)}`,
          tone: "good",
        },
      ];
    }
    case "cilium-hash": {
      const { uid, predictable, hash, index } = choice;
      const whose = predictable
        ? "the CiliumEndpoint's"
        : "the Pod's; Cilium hashes the CiliumEndpoint's, which is not known [3.1]";
      return [
        { label: "order", text: `${listed(choice.order)}, by gateway IP` },
        { label: "uid", text: `${uid}, ${whose}`, tone: predictable ? "faint" : "warning" },
        {
          label: "gateway",
          text: `FNV-1a ${hash} mod ${choice.order.length} = ${index}: \
${name(choice.order[index] as number)}`,
          tone: "good",
        },
      ];
    }
    case "rendezvous": {
      const best = Math.max(...choice.scores.map(({ score }) => score));
      const winner = choice.scores.findIndex(({ score }) => score === best);
      return [
        { label: "uid", text: `${choice.uid}; the highest score wins` },
        ...choice.scores.map(({ entry, key, score }, i): Fact => ({
          label: String(score),
          text: `${name(entry)}, key ${key}${i === winner ? ": wins" : ""}`,
          tone: i === winner ? "good" : "faint",
        })),
      ];
    }
    default:
      return unreachable(choice);
  }
}

/** The node's name; where two entries resolve to one node, with the entry's place. */
function entryName(gateways: readonly GatewayExplanation[], entry: number): string {
  const nodes = gateways.map(({ resolution: to }) => (to.kind === "resolved" ? to.node : ""));
  const node = nodes[entry] as string;
  const alone = nodes.indexOf(node) === nodes.lastIndexOf(node);
  return alone ? node : `${node} (${gateways[entry]?.path.replace(/^spec\./, "")})`;
}
