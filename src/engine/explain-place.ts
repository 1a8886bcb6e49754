// Where inside the cluster a destination is, if it is (rule 8.2): which object says so. What is
// near, such as link-local addresses, counts as inside without an object.

import { assert } from "../lib/assert.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { NEAR_PREFIXES } from "../net/near.ts";
import type { Prefix } from "../net/prefix.ts";
import {
  bitsOf,
  containsPrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from "../net/prefix.ts";
import type { ClusterPrefixes } from "../model/cluster-prefixes.ts";
import { coversPrefix } from "../model/cluster-prefixes.ts";
import type { ModelView } from "../model/delta.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { Node } from "../model/node.ts";
import type { Service } from "../model/objects.ts";
import type { ClusterPlace } from "../plan/explanation.ts";

/** What is inside, and the objects that say so. */
export interface ClusterSurroundings {
  readonly inside: ClusterPrefixes;
  /** What `--cluster-cidr` adds. */
  readonly clusterCidrs: readonly Prefix[];
  /** Sorted by name. */
  readonly nodes: readonly Node[];
  /** Which endpoint has an address (rule 3.7). */
  readonly holders: ReadonlyMap<Address, Endpoint>;
  /** Sorted by namespace and name. */
  readonly services: readonly Service[];
  readonly ranges: readonly Range[];
}

/** A prefix of an object that is all prefixes. */
export interface Range {
  readonly kind: "service-cidr" | "ip-pool";
  readonly name: string;
  readonly prefix: Prefix;
}

/** The services of a model in the order in which they are looked at. */
export function sortedServices({ services }: ModelView): readonly Service[] {
  return [...services.values()].sort((a, b) => {
    return compareBytes(a.namespace, b.namespace) || compareBytes(a.name, b.name);
  });
}

/** The ServiceCIDRs and then the IPPools of a model, each sorted by name. */
export function sortedRanges({ serviceCidrs, ipPools }: ModelView): readonly Range[] {
  const ranges = (kind: Range["kind"], objects: ReadonlyMap<string, readonly Prefix[]>): Range[] =>
    [...objects]
      .sort((a, b) => compareBytes(a[0], b[0]))
      .flatMap(([name, prefixes]) => prefixes.map((prefix) => ({ kind, name, prefix })));
  return [...ranges("service-cidr", serviceCidrs), ...ranges("ip-pool", ipPools)];
}

/** Undefined: at least some of `prefix` is outside. Fails an assertion where the parts disagree. */
export function placeInCluster(
  prefix: Prefix,
  surroundings: ClusterSurroundings,
): ClusterPlace | undefined {
  const place = addressPlace(prefix, surroundings) ?? prefixPlace(prefix, surroundings);
  const isInside = coversPrefix(surroundings.inside.all, prefix);
  assert(isInside === (place !== undefined), "what is inside has something that says so");
  return place;
}

function addressPlace(
  prefix: Prefix,
  { nodes, holders, services }: ClusterSurroundings,
): ClusterPlace | undefined {
  if (prefixLength(prefix) !== bitsOf(prefixFamily(prefix))) return undefined;
  const address = prefixAddress(prefix);
  const pod = holders.get(address);
  if (pod !== undefined) return { kind: "pod", name: `${pod.namespace}/${pod.name}` };
  const node = nodes.find(({ addresses }) => addresses.includes(address));
  if (node !== undefined) return { kind: "node", name: node.name };
  const service = services.find(({ addresses }) => addresses.includes(address));
  if (service === undefined) return undefined;
  return { kind: "service", name: `${service.namespace}/${service.name}` };
}

function prefixPlace(
  prefix: Prefix,
  { nodes, ranges, clusterCidrs }: ClusterSurroundings,
): ClusterPlace | undefined {
  for (const node of nodes) {
    const cidr = node.podCIDRs.find((one) => containsPrefix(one, prefix));
    if (cidr !== undefined) return { kind: "pod-cidr", node: node.name, prefix: cidr };
  }
  const range = ranges.find((one) => containsPrefix(one.prefix, prefix));
  if (range !== undefined) return range;
  const cidr = clusterCidrs.find((one) => containsPrefix(one, prefix));
  if (cidr !== undefined) return { kind: "cluster-cidr", prefix: cidr };
  const near = NEAR_PREFIXES.find((one) => containsPrefix(one, prefix));
  return near === undefined ? undefined : { kind: "link", prefix: near };
}
