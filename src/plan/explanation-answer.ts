// What becomes of a packet, as sentences: the answer of an explanation before its reasons.

import { present, unreachable } from "../lib/assert.ts";
import { counted, thousands } from "../lib/text.ts";
import { ISSUE_CODES } from "../model/issue.ts";
import type { Address } from "../net/address.ts";
import { familyOf, renderAddress } from "../net/address.ts";
import { bitsOf, prefixAddress, prefixFamily, prefixLength, renderPrefix } from "../net/prefix.ts";
import type { Prefix } from "../net/prefix.ts";
import type {
  AssignmentExplanation,
  Claim,
  ClusterPlace,
  DestinationExplanation,
  EndpointExplanation,
  Explanation,
  KernelExplanation,
  Outcome,
} from "./explanation.ts";

/** One paragraph; without a destination asked for, the heading of a list of all of them. */
export function renderAnswer(explanation: Explanation): string {
  const { destination, destinations, endpoint } = explanation;
  const [first] = destinations;
  if (destination !== undefined) {
    const asked = present(first, "the destination asked for");
    const { phrase, because, remedy } = renderOutcome(explanation, asked);
    const flow = `${renderSource(endpoint, asked.sources)} to ${renderAddress(destination)}`;
    const advice = remedy === undefined ? "" : ` ${remedy}`;
    const doubt = doubtOf(explanation, asked);
    if (doubt === undefined) return `Traffic from ${flow} ${phrase}, because ${because}.${advice}`;
    return `Traffic from ${flow} ${phrase}, but ${doubt}. It should, because ${because}.${advice}`;
  }
  const lost = new Set(endpoint.lost.map(({ address }) => address));
  const held = endpoint.endpoint.addresses.filter((address) => !lost.has(address));
  const from = renderSource(endpoint, held);
  if (first === undefined) {
    const because = "because no policy selects this endpoint";
    const outcome = { kind: "ordinary", reason: "NotSelected" } as const;
    const doubt = doubtOf(explanation, { outcome, claims: [] });
    if (doubt === undefined) return `Traffic from ${from} ${ORDINARY}, ${because}.`;
    const should = `should leave ${ORDINARY_PATH}, but ${doubt}. It should, ${because}.`;
    return `Traffic from ${from} ${should}`;
  }
  const doubts = destinations.flatMap((one) => doubtOf(explanation, one) ?? []);
  const but = doubts.length === 0 ? "" : ` But ${[...new Set(doubts)].join("; ")}:`;
  return `Traffic from ${from}, by destination; the longest prefix counts, and what stays inside \
the cluster is untouched${but === "" ? ":" : `.${but}`}`;
}

const ORDINARY_PATH = "by the ordinary path, with the address that its node gives it";
export const ORDINARY = `leaves ${ORDINARY_PATH}`;

export interface OutcomeText {
  /** Follows "traffic". */
  readonly phrase: string;
  readonly because: string;
  readonly remedy: string | undefined;
}

/** What becomes of traffic to one destination, in pieces that follow each other. */
export function renderOutcome(
  explanation: Explanation,
  explained: DestinationExplanation,
): OutcomeText {
  const { endpoint, policies } = explanation;
  const { outcome, claims } = explained;
  const sure = doubtOf(explanation, explained) === undefined;
  const said = (phrase: string, because: string, remedy?: string): OutcomeText => ({
    phrase,
    because,
    remedy,
  });
  switch (outcome.kind) {
    case "untouched":
      return said(
        outcome.place.kind === "link"
          ? "is untouched by policies"
          : "stays inside the cluster, untouched by policies",
        renderPlace(outcome.place),
      );
    case "no-source": {
      const { family } = outcome;
      const taken = endpoint.lost.some(({ address }) => familyOf(address) === family);
      return said(
        "cannot be sent",
        taken
          ? `newer endpoints have taken its ${family} addresses`
          : `the endpoint has no ${family} address`,
      );
    }
    case "ordinary":
      return said(
        `${sure ? "leaves" : "should leave"} ${ORDINARY_PATH}`,
        renderUncovered(outcome.reason, claims),
      );
    case "drop":
      return said(
        `${sure ? "is" : "should be"} dropped on ${outcome.node || "its node"}`,
        outcome.problem,
        outcome.remedy,
      );
    case "leaves": {
      const { node, egressIP, heldThere } = outcome;
      const { policy, prefix } = present(claims[0], "the winning claim");
      const assignment = policies.find(({ name }) => name === policy)?.assignment;
      const leaves = sure ? "leaves" : "should leave";
      return said(
        egressIP === null
          ? `${leaves} by gateway ${node}, its egress IP is not known (no NodeState describes it)`
          : `${leaves} with ${renderAddress(egressIP)}, by gateway ${node}`,
        `policy ${policy} covers it with ${renderPrefix(prefix)} and ${renderChoice(assignment)}`,
        heldThere === 0
          ? undefined
          : `But the maps of ${node} have no room for ${counted(heldThere, "endpoint")}: if this \
is one of them, ${node} drops it. ${ISSUE_CODES.MapFull.remedy}`,
      );
    }
    default:
      return unreachable(outcome);
  }
}

/** Where there is one gateway, no strategy chose it. */
function renderChoice(assignment: AssignmentExplanation | undefined): string {
  const { distribution, gateways, order } = present(assignment, "the winner's assignment");
  if (order.length > 1) return `${distribution} gives the endpoint this gateway`;
  if (gateways.length > 1) return "no other gateway of it resolves";
  return "this is its only gateway";
}

/** Why the kernels may do something else than the plan says; undefined: they say that they do. */
function doubtOf(
  { endpoint, kernels = [] }: Explanation,
  { outcome, claims }: Pick<DestinationExplanation, "outcome" | "claims">,
): string | undefined {
  if (outcome.kind === "untouched" || outcome.kind === "no-source") return undefined;
  const winner = claims[0]?.policy;
  for (const kernel of kernels) {
    const here = kernel.node === endpoint.endpoint.node;
    const passes = here || ("node" in outcome && outcome.node === kernel.node);
    const policies = kernel.policies.filter(({ name }) => here || name === winner);
    if (!passes || policies.length === 0) continue;
    const lagging = policies.filter(({ lag }) => lag !== undefined);
    const { name, lag } = lagging.find((one) => one.name === winner) ?? lagging[0] ?? {};
    const what = name === winner ? "this" : `policy ${name} as it is now`;
    const heard = renderHeard(kernel);
    if (lag !== undefined) return `${kernel.node} has not taken over ${what}: ${lag}, ${heard}`;
    if (kernel.silent) return `nobody keeps ${kernel.node} up to date: its agent is ${heard}`;
  }
  return undefined;
}

/** `heard 12 s ago`, `silent for 203 s`. */
export function renderHeard({ ageSeconds, silent }: KernelExplanation): string {
  if (ageSeconds === undefined) return "never heard";
  return silent ? `silent for ${thousands(ageSeconds)} s` : `heard ${thousands(ageSeconds)} s ago`;
}

function renderUncovered(
  reason: Extract<Outcome, { kind: "ordinary" }>["reason"],
  claims: readonly Claim[],
): string {
  switch (reason) {
    case "NotSelected":
      return "no policy selects this endpoint";
    case "NotCovered":
      return "no policy that selects this endpoint covers it";
    case "Excluded": {
      const { policy, prefix } = present(claims[0], "the exclusion");
      return `policy ${policy} excludes ${renderPrefix(prefix)}`;
    }
    default:
      return unreachable(reason);
  }
}

/** An address for a prefix of full length, else the prefix. */
export function renderDestination(prefix: Prefix): string {
  const whole = prefixLength(prefix) === bitsOf(prefixFamily(prefix));
  return whole ? renderAddress(prefixAddress(prefix)) : renderPrefix(prefix);
}

function renderPlace(place: ClusterPlace): string {
  switch (place.kind) {
    case "pod":
      return `it is an address of pod ${place.name}`;
    case "node":
      return `it is an address of node ${place.name}`;
    case "service":
      return `it is an address of service ${place.name}`;
    case "pod-cidr":
      return `it lies in ${renderPrefix(place.prefix)}, a podCIDR of node ${place.node}`;
    case "service-cidr":
      return `it lies in ${renderPrefix(place.prefix)}, of ServiceCIDR ${place.name}`;
    case "ip-pool":
      return `it lies in ${renderPrefix(place.prefix)}, of IPPool ${place.name}`;
    case "cluster-cidr":
      return `it lies in ${renderPrefix(place.prefix)}, which was named as part of the cluster`;
    case "link":
      return `it lies in ${renderPrefix(place.prefix)}: link-local, multicast or broadcast`;
    default:
      return unreachable(place);
  }
}

function renderSource({ endpoint }: EndpointExplanation, addresses: readonly Address[]): string {
  const name = `${endpoint.namespace}/${endpoint.name}`;
  return addresses.length === 0 ? name : `${name} (${addresses.map(renderAddress).join(", ")})`;
}
