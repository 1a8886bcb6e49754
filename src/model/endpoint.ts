// A pod's network identity, from whichever object describes it (rules 3.1, 3.2).

import type { Address } from "../net/address.ts";
import type { Labels } from "./labels.ts";
import type { CreatedAt } from "./policy.ts";

declare const brand: unique symbol;

/** The Pod's UID, or what rules 3.1 and 3.6 put in its place. */
export type EndpointKey = string & { readonly [brand]: "EndpointKey" };

/** The key of an object: its UID, or `namespace/name` where it has none (rule 3.6). */
export function endpointKey(uid: string, namespace: string, name: string): EndpointKey {
  return (uid === "" ? `${namespace}/${name}` : uid) as EndpointKey;
}

export interface Endpoint {
  readonly key: EndpointKey;
  readonly namespace: string;
  readonly name: string;
  /** The pod's own labels, or those of its identity. */
  readonly ownLabels: Labels;
  /** What selectors match: own labels, the namespace's name and its prefixed labels (rule 3.2). */
  readonly labels: Labels;
  /** At least one; IPv4 first, then by bytes; unique. */
  readonly addresses: readonly Address[];
  /** The node's name; empty when unknown. */
  readonly node: string;
  readonly createdAt: CreatedAt;
  /** The CiliumEndpoint's own UID, which `cilium-hash` hashes; empty when known from a Pod only. */
  readonly ciliumUid: string;
}
