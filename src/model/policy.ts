// A policy as the engine sees it: parsed, checked, canonical. Lists whose order means nothing are
// sorted, so that two spellings of one policy are deeply equal.

import type { Address, Family } from "../net/address.ts";
import { FAMILIES } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { prefixFamily } from "../net/prefix.ts";
import type { Selector } from "./selector.ts";

/** The strategies of rule 5; `round-robin` unless the annotation or the setting says otherwise. */
export const DISTRIBUTIONS = ["round-robin", "cilium-hash", "rendezvous"] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];
export const DISTRIBUTION_ANNOTATION = "sluice.dev/distribution";

/** Limit of `spec.egressGateways` (rule 1.5). */
export const GATEWAYS_MAX = 64;

/** Seconds since the epoch; `NEWEST` where the object has no creationTimestamp (rule 3.6). */
export type CreatedAt = number;
export const NEWEST: CreatedAt = 2 ** 31 - 1;

/**
 * One element of `spec.selectors`. The parser has already prefixed the namespaceSelector's keys
 * (rule 3.2), so `pod` and `namespace` both match an endpoint's joined labels.
 */
export interface Rule {
  readonly pod: Selector | undefined;
  readonly namespace: Selector | undefined;
  readonly node: Selector | undefined;
}

/** One gateway of a policy, as written. */
export interface GatewayEntry {
  /** The place in the policy's list, from 0; 0 for the single `egressGateway`. */
  readonly entry: number;
  readonly nodeSelector: Selector;
  /** As written, empty when absent; part of the rendezvous key (rule 5.3). */
  readonly egressIPText: string;
  readonly egressIP: Address | undefined;
  /** Empty when absent. */
  readonly interface: string;
}

export interface Policy {
  readonly name: string;
  readonly createdAt: CreatedAt;
  /** Which version of the spec this is, as the API server counts; 0 without one. */
  readonly generation: number;
  /** From the annotation; undefined means the default setting. */
  readonly distribution: Distribution | undefined;
  /** In the order written. */
  readonly rules: readonly Rule[];
  /** Sorted, unique, masked; at least one. */
  readonly destinations: readonly Prefix[];
  /** Sorted, unique, masked. */
  readonly exclusions: readonly Prefix[];
  /** In the order written; at least one. */
  readonly gateways: readonly GatewayEntry[];
  /** True if written as `egressGateways`; false for the single field. Decides issue paths only. */
  readonly listed: boolean;
}

/** The path of a gateway entry's field in the object. */
export function gatewayPath(policy: Policy, entry: number): string {
  return policy.listed ? `spec.egressGateways[${entry}]` : "spec.egressGateway";
}

/** The families that the policy's destinations have; exclusions need none (rule 6.4). */
export function neededFamilies(policy: Policy): readonly Family[] {
  return FAMILIES.filter((family) =>
    policy.destinations.some((prefix) => prefixFamily(prefix) === family),
  );
}
