// What is inside the cluster (rule 8.2), as prefixes: from the objects that say so, from the
// addresses of endpoints that no such prefix covers ("strays"), and what is near to everybody.

import { sameList } from "../lib/equal.ts";
import { lowerBound } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import { NEAR_PREFIXES } from "../net/near.ts";
import type { Prefix } from "../net/prefix.ts";
import {
  bitsOf,
  comparePrefixes,
  containsAddress,
  containsPrefix,
  prefixOf,
} from "../net/prefix.ts";
import type { Node } from "./node.ts";
import type { Service } from "./objects.ts";

/** What is inside. The same object is given until something in it changes. */
export interface ClusterPrefixes {
  /** Sorted; prefixes inside others left out. */
  readonly all: readonly Prefix[];
  /**
   * Where pods are: podCIDRs of all nodes, IPPools (where neither is known: `--cluster-cidr`), and
   * endpoints' addresses outside of these. Sorted; prefixes inside others left out.
   */
  readonly pods: readonly Prefix[];
  /** The podCIDRs of one node, sorted; none for a node that nothing describes. */
  readonly podsOf: (node: string) => readonly Prefix[];
  /** True if a podCIDR, a ServiceCIDR, an IPPool or `--cluster-cidr` is known: enough to begin. */
  readonly known: boolean;
}

/** The objects that say what is inside. */
export interface PrefixFacts {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly services: ReadonlyMap<string, Service>;
  readonly serviceCidrs: ReadonlyMap<string, readonly Prefix[]>;
  readonly ipPools: ReadonlyMap<string, readonly Prefix[]>;
}

/** What is inside whatever endpoints there are. */
export interface FixedPrefixes {
  /** Sorted; prefixes inside others left out. */
  readonly all: readonly Prefix[];
  readonly pods: readonly Prefix[];
  /** podCIDRs by node; only nodes that have some. */
  readonly byNode: ReadonlyMap<string, readonly Prefix[]>;
  readonly known: boolean;
}

/** With what `--cluster-cidr` adds (`extra`). O(n log n) in nodes and services. */
export function fixedPrefixes(facts: PrefixFacts, extra: readonly Prefix[]): FixedPrefixes {
  const { nodes, services } = facts;
  const pools = [...facts.ipPools.values()].flat();
  const serviceCidrs = [...facts.serviceCidrs.values()].flat();
  const byNode = new Map<string, readonly Prefix[]>();
  const podCIDRs: Prefix[] = [];
  const single: Prefix[] = [];
  for (const node of nodes.values()) {
    for (const address of node.addresses) single.push(wholeOf(address));
    if (node.podCIDRs.length === 0) continue;
    byNode.set(node.name, node.podCIDRs);
    podCIDRs.push(...node.podCIDRs);
  }
  for (const { addresses } of services.values()) {
    for (const address of addresses) single.push(wholeOf(address));
  }
  const described = [...podCIDRs, ...pools];
  return {
    all: outermost([...described, ...serviceCidrs, ...extra, ...single, ...NEAR_PREFIXES]),
    pods: outermost(described.length > 0 ? described : extra),
    byNode,
    known: described.length + serviceCidrs.length + extra.length > 0,
  };
}

/** With the endpoints' addresses that `fixed.pods` does not cover. */
export function withStrays(fixed: FixedPrefixes, strays: Iterable<Address>): ClusterPrefixes {
  const { byNode, known } = fixed;
  const single = [...new Set(strays)].map(wholeOf);
  const outside = single.filter((prefix) => !coversPrefix(fixed.all, prefix));
  return {
    all: outside.length === 0 ? fixed.all : outermost([...fixed.all, ...outside]),
    pods: single.length === 0 ? fixed.pods : outermost([...fixed.pods, ...single]),
    podsOf: (node) => byNode.get(node) ?? NO_PREFIXES,
    known,
  };
}

const NO_PREFIXES: readonly Prefix[] = Object.freeze([]);

/** True if both say the same; `podsOf` follows from the fixed ones. */
export function sameFixed(a: FixedPrefixes, b: FixedPrefixes): boolean {
  return (
    a.known === b.known &&
    sameList(a.all, b.all) &&
    sameList(a.pods, b.pods) &&
    a.byNode.size === b.byNode.size &&
    [...a.byNode].every(([node, prefixes]) => {
      return sameList(prefixes, b.byNode.get(node) ?? NO_PREFIXES);
    })
  );
}

/** Sorted, without those that lie inside others. O(n log n). */
export function outermost(prefixes: readonly Prefix[]): readonly Prefix[] {
  const kept: Prefix[] = [];
  for (const prefix of [...prefixes].sort(comparePrefixes)) {
    const last = kept.at(-1);
    // What contains a prefix stands before it, and only prefixes inside both stand between them.
    if (last === undefined || !containsPrefix(last, prefix)) kept.push(prefix);
  }
  return kept;
}

/** True if one of `sorted`, of which none lies inside another, contains the address. O(log n). */
export function coversAddress(sorted: readonly Prefix[], address: Address): boolean {
  const candidate = sorted[lastNotBehind(sorted, wholeOf(address))];
  return candidate !== undefined && containsAddress(candidate, address);
}

/** The same for every address of a prefix. */
export function coversPrefix(sorted: readonly Prefix[], prefix: Prefix): boolean {
  const candidate = sorted[lastNotBehind(sorted, prefix)];
  return candidate !== undefined && containsPrefix(candidate, prefix);
}

function lastNotBehind(sorted: readonly Prefix[], prefix: Prefix): number {
  const place = lowerBound(sorted, prefix, comparePrefixes);
  return sorted[place] === prefix ? place : place - 1;
}

function wholeOf(address: Address): Prefix {
  return prefixOf(address, bitsOf(familyOf(address)));
}
