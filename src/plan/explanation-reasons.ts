// The reasons of an explanation in words, in the order in which a decision is made: the endpoint,
// each policy that selects it with its gateways and distribution, the destination, the packet; the
// policies that do not select it come last, because there may be many.

import { present, unreachable } from "../lib/assert.ts";
import type { Tone } from "../lib/screen.ts";
import { counted } from "../lib/text.ts";
import type { Labels } from "../model/labels.ts";
import { NAMESPACE_LABEL_PREFIX } from "../model/namespace-labels.ts";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import { renderDestination, renderHeard } from "./explanation-answer.ts";
import { assignmentReasons } from "./explanation-assignment.ts";
import { refusalFacts, selectionFacts } from "./explanation-selectors.ts";
import type {
  Claim,
  Defeat,
  DestinationExplanation,
  EndpointExplanation,
  Explanation,
  Outcome,
} from "./explanation.ts";
import type { Row } from "./row.ts";
import { DROP_GATEWAY } from "./row.ts";

/** One line of a reason; `label` stands in a column of its own. */
export interface Fact {
  readonly label: string;
  readonly text: string;
  /** Of the label. */
  readonly tone?: Tone;
}

export interface Reason {
  /** With the numbers of the contract's rules in brackets. */
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** Every step that led to the answer, in order; each title names the rules that it rests on. */
export function reasonsOf(explanation: Explanation): Reason[] {
  const { endpoint, policies, destination, destinations, issues } = explanation;
  const node = endpoint.endpoint.node;
  const reasons = [endpointReason(endpoint)];
  for (const policy of policies) {
    if (policy.assignment === undefined) continue;
    const title = `Policy ${policy.name} selects it [3.3, 3.4]`;
    reasons.push({ title, facts: selectionFacts(policy, node) });
    reasons.push(...assignmentReasons(policy.name, policy.assignment));
  }
  if (destination !== undefined) {
    for (const one of destinations) {
      reasons.push(claimReason(one), packetReason(explanation, one));
    }
  } else if (destinations.length > 0) {
    const facts = destinations.flatMap(({ prefix, claims }) =>
      claimFacts(claims).filter((_, i) => claims[i]?.prefix === prefix),
    );
    reasons.push({ title: "Which policy wins each prefix [7.3, 7.4]", facts });
  }
  reasons.push(...kernelReasons(explanation));
  const others = policies.filter(({ assignment }) => assignment === undefined);
  if (others.length > 0) {
    const verb = others.length === 1 ? "does" : "do";
    const title = `${counted(others.length, "policy")} ${verb} not select it [3.3, 3.4]`;
    reasons.push({ title, facts: others.flatMap((policy) => refusalFacts(policy, node)) });
  }
  if (issues.length > 0) {
    const title = "Refused: the last accepted version of these is in force, if there is one [2.3]";
    const facts = issues.map(({ object, path, message }): Fact => ({
      label: object.slice(object.indexOf("/") + 1),
      text: path === "" ? message : `${path}: ${message}`,
      tone: "error",
    }));
    reasons.push({ title, facts });
  }
  return reasons;
}

function endpointReason({ endpoint, nodeKnown, nodeIP, lost }: EndpointExplanation): Reason {
  const { own, namespace } = splitLabels(endpoint.labels);
  const ip = nodeIP === undefined ? "without internal IPv4 address" : renderAddress(nodeIP);
  const unknown = "which no object describes: it has no labels [3.4]";
  const facts: Fact[] = [
    { label: "object", text: endpoint.ciliumUid === "" ? "Pod" : "CiliumEndpoint" },
    { label: "uid", text: endpoint.key },
    {
      label: "node",
      text: endpoint.node === "" ? "not known" : `${endpoint.node}, ${nodeKnown ? ip : unknown}`,
    },
    { label: "addresses", text: endpoint.addresses.map(renderAddress).join(", ") },
    ...lost.map(({ address, to }): Fact => {
      const newer = `the newer endpoint ${to.namespace}/${to.name}`;
      const text = `${renderAddress(address)} belongs to ${newer} [3.7]`;
      return { label: "lost", text, tone: "warning" };
    }),
    { label: "labels", text: own },
    { label: "namespace", text: namespace },
  ];
  return { title: `Endpoint ${endpoint.namespace}/${endpoint.name} [3.1, 3.2]`, facts };
}

/**
 * What a podSelector is asked about, and the labels of the namespace as they are written there. The
 * namespace's name is a label of the pod: no namespaceSelector finds it under that key.
 */
function splitLabels(labels: Labels): { own: string; namespace: string } {
  const own: string[] = [];
  const namespace: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const [key, value] = labels.slice(i, i + 2) as [string, string];
    const inner = key.replace(NAMESPACE_LABEL_PREFIX, "");
    if (inner !== key) namespace.push(renderLabel(inner, value));
    else own.push(renderLabel(key, value));
  }
  return { own: own.join(", ") || "(none)", namespace: namespace.join(", ") || "(none)" };
}

function renderLabel(key: string, value: string): string {
  return `${key}=${value}`;
}

function claimReason({ prefix, claims, outcome }: DestinationExplanation): Reason {
  const title = `Destination ${renderDestination(prefix)} [7.3, 7.4, 8.2]`;
  const facts = claimFacts(claims);
  if (claims.length === 0) {
    facts.push({ label: "rows", text: "no policy that selects the endpoint covers it" });
  }
  const cluster =
    outcome.kind === "untouched"
      ? `it ${outcome.place.kind === "link" ? "does not go far" : "is part of it"}: what the \
policies say about it does not count [8.1]`
      : "not an address of a node, pod or service, in no podCIDR, ServiceCIDR, IPPool or \
--cluster-cidr; what the input does not describe, --cluster-cidr names";
  facts.push({ label: "cluster", text: cluster });
  return { title, facts };
}

function claimFacts(claims: readonly Claim[]): Fact[] {
  return claims.map((claim) => {
    const { policy, prefix, exclusion, defeat } = claim;
    const label = renderPrefix(prefix);
    const says = exclusion ? `${policy} excludes it` : policy;
    if (defeat === undefined) return { label, text: `${says}: wins${cut(claims)}`, tone: "good" };
    const why = renderDefeat(defeat, present(claims[0], "the winner"));
    return { label, text: `${says}: loses, ${why}`, tone: "faint" };
  });
}

/** Whose destinations a winning exclusion of another policy reaches. */
function cut([winner, ...losers]: readonly Claim[]): string {
  if (!winner?.exclusion) return "";
  const others = losers.filter(({ policy, exclusion }) => policy !== winner.policy && !exclusion);
  const policies = [...new Set(others.map(({ policy }) => policy))];
  return policies.length === 0 ? "" : `, and cuts what ${policies.join(", ")} covers [7.4]`;
}

function renderDefeat(defeat: Defeat, winner: Claim): string {
  switch (defeat) {
    case "LongerPrefix":
      return `${renderPrefix(winner.prefix)} of ${winner.policy} is longer`;
    case "OlderPolicy":
      return `${winner.policy} is older and has the same prefix`;
    case "OwnExclusion":
      return "the policy excludes the same prefix";
    default:
      return unreachable(defeat);
  }
}

/** What each node on the way does with the packet (rule 8.3). */
function packetReason({ endpoint }: Explanation, { outcome, verdict }: DestinationExplanation) {
  const here = endpoint.endpoint.node || "its node";
  const facts: Fact[] = [];
  if (verdict === undefined || verdict.kind === "direct") {
    const waits = outcome.kind === "drop";
    facts.push({ label: here, text: waits ? "its rows are missing" : "no row concerns it" });
  } else {
    facts.push({ label: here, text: renderRow(verdict.row, outcome) });
  }
  if (outcome.kind === "leaves") {
    const to = outcome.egressIP === null ? "an unknown address" : renderAddress(outcome.egressIP);
    facts.push({ label: outcome.node, text: `its source becomes ${to}`, tone: "good" });
  } else if (outcome.kind === "drop") {
    const text = `dropped, ${outcome.reason}: ${outcome.problem}`;
    facts.push({ label: outcome.node || here, text, tone: "error" });
  }
  return { title: "Packet that opens a flow [8.3]", facts };
}

/** Whether the nodes on the way have taken over what the other reasons say. */
function kernelReasons({ kernels = [] }: Explanation): Reason[] {
  const facts = kernels.flatMap((kernel) => {
    const heard = renderHeard(kernel);
    const tone: Tone = kernel.silent ? "warning" : "good";
    const unconcerned: Fact = { label: kernel.node, text: `no policy concerns it; ${heard}`, tone };
    if (kernel.policies.length === 0) return [unconcerned];
    return kernel.policies.map(({ name, wanted, lag }): Fact => {
      const label = kernel.node;
      if (lag !== undefined) return { label, text: `${name}: ${lag}; ${heard}`, tone: "error" };
      const { generation = 0, rows = 0 } = wanted ?? {};
      const held = `generation ${generation} with ${counted(rows, "row")}, as it should be`;
      return { label, text: `${name}: ${held}; ${heard}`, tone };
    });
  });
  return facts.length === 0 ? [] : [{ title: "In the kernels, as their agents say", facts }];
}

/** `gateway`: what the row's gateway IP stands for. */
function renderRow({ source, destination, gatewayIP }: Row, outcome: Outcome): string {
  const pair = `row ${renderAddress(source)} to ${renderPrefix(destination)}`;
  const gateway = `${pair} says gateway ${renderAddress(gatewayIP)}`;
  switch (outcome.kind) {
    case "leaves":
    case "drop":
      if (gatewayIP === DROP_GATEWAY) return `${gateway}: drop`;
      return `${gateway}, ${outcome.tunnelled ? `by tunnel to ${outcome.node}` : "this node"}`;
    case "ordinary":
      return `${gateway}, an exclusion: the ordinary path`;
    case "untouched":
    case "no-source":
      return gateway;
    default:
      return unreachable(outcome);
  }
}
