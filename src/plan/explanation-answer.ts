// What becomes of a packet, as sentences: the answer of an explanation before its reasons.

import { present, unreachable } from "../lib/assert.ts";
import { counted } from "../lib/text.ts";
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
    return `Traffic from ${flow} ${phrase}, because ${because}.${advice}`;
  }
  const lost = new Set(endpoint.lost.map(({ address }) => address));
  const held = endpoint.endpoint.addresses.filter((address) => !lost.has(address));
  const from = renderSource(endpoint, held);
  if (first === undefined) {
    return `Traffic from ${from} ${ORDINARY}, because no policy selects this endpoint.`;
  }
  return `Traffic from ${from}, by destination; the longest prefix counts, and what stays inside \
the cluster is untouched:`;
}

export const ORDINARY = "leaves by the ordinary path, with the address that its node gives it";

export interface OutcomeText {
  /** Follows "traffic". */
  readonly phrase: string;
  readonly because: string;
  readonly remedy: string | undefined;
}

/** What becomes of traffic to one destination, in pieces that follow each other. */
export function renderOutcome(
  { endpoint, policies }: Explanation,
  { outcome, claims }: DestinationExplanation,
): OutcomeText {
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
      return said(ORDINARY, renderUncovered(outcome.reason, claims));
    case "drop":
      return said(`is dropped on ${outcome.node || "its node"}`, outcome.problem, outcome.remedy);
    case "leaves": {
      const { node, egressIP, heldThere } = outcome;
      const { policy, prefix } = present(claims[0], "the winning claim");
      const assignment = policies.find(({ name }) => name === policy)?.assignment;
      return said(
        egressIP === null
          ? `leaves by gateway ${node}, its egress IP is not known (no NodeState describes it)`
          : `leaves with ${renderAddress(egressIP)}, by gateway ${node}`,
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
