// Wrong or surprising input, as a value. Every code stands in one table with its meaning and its
// remedy; docs, `--help` and the JSON interface speak of the same codes.

import { compareBytes } from "../lib/order.ts";

export type Severity = "error" | "warning";

export interface Issue {
  readonly code: IssueCode;
  /** `error`: the object is refused and its last accepted version stays; `warning`: accepted. */
  readonly severity: Severity;
  /** `Kind/name` or `Kind/namespace/name`. */
  readonly object: string;
  /** The field, as in `spec.destinationCIDRs[1]`; empty when the object as a whole is meant. */
  readonly path: string;
  /** What is wrong and what to do; never a place in a list, which is in `path` (rule 5.8). */
  readonly message: string;
}

interface CodeEntry {
  readonly severity: Severity;
  readonly meaning: string;
  readonly remedy: string;
}

/** Every issue code. Names are stable: they are part of the JSON interface. */
export const ISSUE_CODES = {
  InvalidField: {
    severity: "error",
    meaning: "A field has a value of the wrong type or form.",
    remedy: "Write the field as the message says.",
  },
  MissingField: {
    severity: "error",
    meaning: "A required field is absent or empty.",
    remedy: "Add the field.",
  },
  InvalidPrefix: {
    severity: "error",
    meaning: "A destination or exclusion is not an IPv4 or IPv6 prefix.",
    remedy: "Write address and mask, as in 192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32.",
  },
  InvalidAddress: {
    severity: "error",
    meaning: "An address does not parse.",
    remedy: "Write a plain IPv4 or IPv6 address without mask or zone.",
  },
  InvalidSelector: {
    severity: "error",
    meaning: "Kubernetes would refuse this label selector.",
    remedy:
      "Write labels below matchLabels, or below matchExpressions the operators In, NotIn, Exists " +
      "and DoesNotExist; with valid label keys and values.",
  },
  InvalidRule: {
    severity: "error",
    meaning: "A rule of spec.selectors selects no pods by itself, or has an unknown field.",
    remedy:
      "Give each rule a podSelector or a namespaceSelector ({} selects all), if wanted a " +
      "nodeSelector, and nothing else.",
  },
  InvalidGateway: {
    severity: "error",
    meaning: "A gateway entry contradicts itself.",
    remedy: "Give each gateway a nodeSelector and at most one of interface and egressIP.",
  },
  TooManyGateways: {
    severity: "error",
    meaning: "A policy lists more gateways than the limit of 64.",
    remedy: "Split the policy, or list fewer gateways.",
  },
  InvalidDistribution: {
    severity: "error",
    meaning: "The annotation sluice.dev/distribution names no strategy.",
    remedy: "Use round-robin, cilium-hash or rendezvous, or remove the annotation.",
  },
  NotAnObject: {
    severity: "error",
    meaning: "A document is not a Kubernetes object.",
    remedy: "Give every document an apiVersion, a kind and metadata, or remove it.",
  },
  UnknownKind: {
    severity: "error",
    meaning: "An object's kind is almost the name of one that counts here; nobody reads it.",
    remedy: "Write the kind as the message says, or leave the object out of the input.",
  },
  UnknownVersion: {
    severity: "error",
    meaning: "An object of a kind that counts here has an apiVersion that nobody reads.",
    remedy: "Write the object in the version that the message names.",
  },
  UnreadableFile: {
    severity: "error",
    meaning: "A watched file or directory cannot be read; its last good objects stay in force.",
    remedy: "Correct the file as the message says; replace files by renaming, not by writing.",
  },
  UnreadableApi: {
    severity: "error",
    meaning: "The Kubernetes API, or a kind of it, cannot be read; its last objects stay in force.",
    remedy: "Do as the message says; a node goes on with what it knew meanwhile.",
  },
  UnknownField: {
    severity: "warning",
    meaning: "A field of a policy's spec has a name that the API does not have; it is ignored.",
    remedy: "Correct the spelling or remove the field.",
  },
  DuplicateObject: {
    severity: "warning",
    meaning: "Two different versions of one object are in the input; the newer one counts.",
    remedy: "Keep one of them.",
  },
  EgressGatewayIgnored: {
    severity: "warning",
    meaning: "egressGateway differs from the first entry of egressGateways; only the list counts.",
    remedy: "Repeat the first entry of the list in egressGateway, or remove egressGateway.",
  },
  ExclusionOutsideDestinations: {
    severity: "warning",
    meaning: "An exclusion reaches outside the policy's destinations and cuts other policies too.",
    remedy: "Narrow the exclusion to the policy's own destinations, unless this is intended.",
  },
  CiliumHashUnpredictable: {
    severity: "warning",
    meaning: "cilium-hash uses the CiliumEndpoint's UID, which is not known for these endpoints.",
    remedy: "Add the CiliumEndpoints to the input, or choose another distribution.",
  },
  AddressConflict: {
    severity: "warning",
    meaning: "Two endpoints claim one address; the newer one has it.",
    remedy: "Remove the stale object, or wait for its deletion.",
  },
  GatewayUnresolved: {
    severity: "warning",
    meaning: "A gateway entry matches no node that has an internal IPv4 address; it is left out.",
    remedy:
      "Label a node so that the entry's nodeSelector matches, or remove the entry; offline, give " +
      "the cluster's Nodes as input too.",
  },
  NoGateway: {
    severity: "warning",
    meaning: "No gateway entry resolves: the policy's traffic is dropped.",
    remedy: "Label a node so that an entry's nodeSelector matches it.",
  },
  NoEgressIP: {
    severity: "warning",
    meaning: "A gateway has no egress IP for a needed family: it drops this traffic.",
    remedy: "Give the gateway's device an address of the family, or correct interface or egressIP.",
  },
  NoEndpoints: {
    severity: "warning",
    meaning: "A policy selects none of the endpoints in the input of an offline command.",
    remedy: "Correct the selectors or the pods' labels, or wait for the pods.",
  },
  PolicyConflict: {
    severity: "warning",
    meaning: "An older policy has the same prefix for the same endpoints; its rows win.",
    remedy: "Remove the prefix from one policy, or let their selectors not overlap.",
  },
  MapFull: {
    severity: "warning",
    meaning: "A node's policy map is too small for all rows; whole endpoints stay held.",
    remedy: "Raise the map size, or narrow the policies.",
  },
} as const satisfies Record<string, CodeEntry>;

export type IssueCode = keyof typeof ISSUE_CODES;

/** An issue with the severity that the table gives its code. */
export function issue(
  code: IssueCode,
  at: { readonly object: string; readonly path: string },
  message: string,
): Issue {
  return { code, severity: ISSUE_CODES[code].severity, object: at.object, path: at.path, message };
}

/**
 * Orders issues by object, code and message; only then by path, so that reordering a policy's lists
 * changes the paths and nothing else (rule 5.8).
 */
export function compareIssues(a: Issue, b: Issue): number {
  return (
    compareBytes(a.object, b.object) ||
    compareBytes(a.code, b.code) ||
    compareBytes(a.message, b.message) ||
    compareBytes(a.path, b.path)
  );
}
