// Why an endpoint's packets leave as they do, step by step, as plain data: who the endpoint is,
// which policies select it, which gateways they have, how one was chosen, which row wins and what
// becomes of a packet. engine/explain.ts finds the reasons; render-explanation.ts (text) and
// explanation-json.ts show them.

import type { Endpoint } from "../model/endpoint.ts";
import type { Issue } from "../model/issue.ts";
import type { CreatedAt, Distribution } from "../model/policy.ts";
import type { Requirement, Selector } from "../model/selector.ts";
import type { Address, Family } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { PlanGateway } from "./plan.ts";
import type { Verdict } from "./verdict.ts";

export interface Explanation {
  readonly endpoint: EndpointExplanation;
  /** Sorted by name. */
  readonly policies: readonly PolicyExplanation[];
  /** As asked; undefined: every prefix of the selecting policies is explained. */
  readonly destination: Address | undefined;
  /** One for the destination asked for; else one per prefix, sorted. */
  readonly destinations: readonly DestinationExplanation[];
  /** The endpoint's node, then its gateways by name; undefined: not known what nodes hold. */
  readonly kernels: readonly KernelExplanation[] | undefined;
  /** Errors of policies: what is refused has its last accepted version in force, or none. */
  readonly issues: readonly Issue[];
}

export interface EndpointExplanation {
  readonly endpoint: Endpoint;
  /** False: no object describes the node, so it has no labels. */
  readonly nodeKnown: boolean;
  /** The node's internal IPv4 address. */
  readonly nodeIP: Address | undefined;
  /** The addresses that newer endpoints have taken (rule 3.7). */
  readonly lost: readonly { readonly address: Address; readonly to: Endpoint }[];
}

// ---- Selection (rules 3.3, 3.4) ----

export interface PolicyExplanation {
  readonly name: string;
  readonly createdAt: CreatedAt;
  /** In the order written. */
  readonly rules: readonly RuleExplanation[];
  /** What the pooled nodeSelectors say; `open`: no rule has one. */
  readonly nodePool: "open" | "matches" | "fails";
  /**
   * Set where the pooling decides: `selects`, the nodeSelector that lets the endpoint in is another
   * rule's; `refuses`, a rule without nodeSelector matches, but no other rule's does.
   */
  readonly pooling: "selects" | "refuses" | undefined;
  /** Undefined: the policy does not select the endpoint. */
  readonly assignment: AssignmentExplanation | undefined;
}

export interface RuleExplanation {
  /** As in `spec.selectors[0]`. */
  readonly path: string;
  /** Undefined parts are not written. */
  readonly pod: SelectorExplanation | undefined;
  readonly namespace: SelectorExplanation | undefined;
  readonly node: SelectorExplanation | undefined;
}

export interface SelectorExplanation {
  readonly selector: Selector;
  /** Empty: it matches. */
  readonly failed: readonly FailedRequirement[];
}

export interface FailedRequirement {
  readonly requirement: Requirement;
  /** The value that the label has; undefined: there is no such label. */
  readonly value: string | undefined;
}

/** True if the rule's pod and namespace parts match; its nodeSelector goes into the pool. */
export function ruleMatches(rule: RuleExplanation): boolean {
  return [rule.pod, rule.namespace].every((part) => part === undefined || part.failed.length === 0);
}

// ---- Gateways and distribution (rules 4 to 6) ----

export interface AssignmentExplanation {
  /** Every entry, in the order written. */
  readonly gateways: readonly GatewayExplanation[];
  readonly distribution: Distribution;
  readonly distributionFrom: "annotation" | "default";
  /** Entries that resolved, in rule 5.1's order. */
  readonly order: readonly number[];
  readonly choice: Choice;
  /** What the plan says; undefined: no entry resolves. */
  readonly gateway: PlanGateway | undefined;
}

export interface GatewayExplanation {
  readonly entry: number;
  /** As in `spec.egressGateways[0]`. */
  readonly path: string;
  readonly nodeSelector: Selector;
  readonly resolution: Resolution;
}

export type Resolution =
  | {
      readonly kind: "resolved";
      readonly node: string;
      readonly gatewayIP: Address;
      /** Nodes that match too, but stand later in the order of names. */
      readonly alsoMatched: readonly string[];
      /** Nodes that match and stand earlier, but have no internal IPv4 address. */
      readonly skipped: readonly string[];
      /** Undefined: not known, because no NodeState describes the node (rule 6.8). */
      readonly egress: EgressExplanation | undefined;
    }
  /** These nodes match, and none has an internal IPv4 address. */
  | { readonly kind: "no-address"; readonly nodes: readonly string[] }
  /** No node matches. The nearest ones: fewest failed requirements first. */
  | { readonly kind: "no-match"; readonly nearest: readonly NearNode[] };

export interface NearNode {
  readonly node: string;
  readonly failed: readonly FailedRequirement[];
}

export interface EgressExplanation {
  /** The rule that decides: `6.1` interface, `6.2` egressIP, `6.3` the default route's device. */
  readonly rule: "6.1" | "6.2" | "6.3";
  /** The device; empty when none was found. */
  readonly interface: string;
  /** Of needed families, IPv4 first; empty: none. */
  readonly addresses: readonly Address[];
  /** Why a needed family has no egress IP. */
  readonly problem: string | undefined;
}

/** How the strategy came to its entry. */
export type Choice =
  /** No entry resolves. */
  | { readonly kind: "none" }
  /** `rank` counts from 0 among `endpoints` (rule 5.1). */
  | { readonly kind: "round-robin"; readonly rank: number; readonly endpoints: number }
  | {
      readonly kind: "cilium-hash";
      readonly uid: string;
      /** False: the CiliumEndpoint's own UID is not known, the Pod's stands in (rule 3.1). */
      readonly predictable: boolean;
      readonly hash: number;
      /** `hash` mod the number of entries: a place in `order`. */
      readonly index: number;
      /** Entries by gateway IP as a number (rule 5.2). */
      readonly order: readonly number[];
    }
  | {
      readonly kind: "rendezvous";
      readonly uid: string;
      /** In rule 5.1's order; the highest score wins, the first of equal ones (rule 5.3). */
      readonly scores: readonly Score[];
    };

export interface Score {
  readonly entry: number;
  /** `node|egressIP|interface`. */
  readonly key: string;
  readonly score: number;
}

// ---- Destinations (rules 7.3, 7.4, 8) ----

export interface DestinationExplanation {
  /** An address asked for is a prefix of full length. */
  readonly prefix: Prefix;
  /** Addresses of the destination's family that the endpoint holds: what its packets come from. */
  readonly sources: readonly Address[];
  /** What the selecting policies say about it; the first one wins over all others. */
  readonly claims: readonly Claim[];
  /** What the rows of the endpoint's node say; undefined: nothing is asked of them. */
  readonly verdict: Verdict | undefined;
  readonly outcome: Outcome;
}

/** A destination or exclusion of a policy that covers the whole prefix in question. */
export interface Claim {
  readonly policy: string;
  readonly prefix: Prefix;
  readonly exclusion: boolean;
  /** Why the first claim wins over this one; undefined: this is the first. */
  readonly defeat: Defeat | undefined;
}

export type Defeat = "LongerPrefix" | "OlderPolicy" | "OwnExclusion";

/** Part of the cluster that a destination lies in (rule 8.2); `link`: link-local and the like. */
export type ClusterPlace =
  | { readonly kind: "pod"; readonly name: string }
  | { readonly kind: "node"; readonly name: string }
  | { readonly kind: "service"; readonly name: string }
  | { readonly kind: "pod-cidr"; readonly node: string; readonly prefix: Prefix }
  | { readonly kind: "service-cidr" | "ip-pool"; readonly name: string; readonly prefix: Prefix }
  | { readonly kind: "cluster-cidr" | "link"; readonly prefix: Prefix };

/** What becomes of a packet that opens a flow. */
export type Outcome =
  /** Inside the cluster: no policy touches it (rule 8.1). */
  | { readonly kind: "untouched"; readonly place: ClusterPlace }
  /** The endpoint has no address of this family, or newer endpoints have taken them all. */
  | { readonly kind: "no-source"; readonly family: Family }
  /** Leaves as if there were no policy; the address that the node gives it is not ours to say. */
  | {
      readonly kind: "ordinary";
      readonly reason: "NotSelected" | "NotCovered" | "Excluded";
    }
  | {
      readonly kind: "drop";
      readonly reason: "NoGateway" | "NoEgressIP" | "MapFull";
      /** Where: the endpoint's node, or the gateway that it was tunnelled to. */
      readonly node: string;
      readonly tunnelled: boolean;
      readonly problem: string;
      readonly remedy: string;
    }
  | {
      readonly kind: "leaves";
      /** The gateway's node. */
      readonly node: string;
      readonly gatewayIP: Address;
      /** False: the endpoint's node is the gateway. */
      readonly tunnelled: boolean;
      /** Null: not known (rule 6.8). */
      readonly egressIP: Address | null;
      /**
       * Endpoints that the gateway's maps have no room for; if this is one of them, the gateway
       * drops (rules 7.9, 8.3). 0 where the endpoint's own node is the gateway.
       */
      readonly heldThere: number;
    };

// ---- The kernels ----

/** What the agent of a node on the way last said that its kernel holds. */
export interface KernelExplanation {
  readonly node: string;
  /** When it said so, by its own clock; empty: never. */
  readonly renewTime: string;
  /** How long ago; undefined: never. */
  readonly ageSeconds: number | undefined;
  /** It has not renewed for too long: nobody keeps that kernel as it should be. */
  readonly silent: boolean;
  /** Those that matter to the endpoint, sorted by name. */
  readonly policies: readonly KernelPolicy[];
}

export interface KernelPolicy {
  readonly name: string;
  /** Undefined: nothing is said of it. */
  readonly held: KernelRows | undefined;
  /** Undefined: the plan does not have the policy. */
  readonly wanted: KernelRows | undefined;
  /** Why the kernel is not what the plan wants; undefined: it is. */
  readonly lag: string | undefined;
}

export interface KernelRows {
  /** Of the policy's spec. */
  readonly generation: number;
  readonly rows: number;
}
