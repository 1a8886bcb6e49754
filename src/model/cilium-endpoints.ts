// CiliumEndpoints and their identities, with the indexes that say which of them a change concerns.
// Empty on clusters without Cilium's CRDs.

import type { Address } from "../net/address.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import type { CiliumEndpoint } from "./objects.ts";

export class CiliumEndpoints {
  readonly #byUid = new Map<EndpointKey, CiliumEndpoint>();
  readonly #byPod = new Map<string, Set<EndpointKey>>();
  /** Those without Pod owner, by `namespace/name`. */
  readonly #ownerless = new Map<string, Set<EndpointKey>>();
  readonly #byIdentity = new Map<string, Set<EndpointKey>>();
  readonly #identities = new Map<string, Labels>();

  get size(): number {
    return this.#byUid.size;
  }

  get(uid: EndpointKey): CiliumEndpoint | undefined {
    return this.#byUid.get(uid);
  }

  set(uid: EndpointKey, value: CiliumEndpoint | undefined): void {
    const old = this.#byUid.get(uid);
    if (old !== undefined) this.#index(old, false);
    if (value === undefined) {
      this.#byUid.delete(uid);
    } else {
      this.#byUid.set(uid, value);
      this.#index(value, true);
    }
  }

  setIdentity(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#identities.delete(name);
    else this.#identities.set(name, labels);
  }

  /** Every key that a CiliumEndpoint may stand for: its Pod's and its own. */
  *ownKeys(): Iterable<EndpointKey> {
    for (const one of this.#byUid.values()) {
      yield one.podUid === "" ? one.uid : (one.podUid as EndpointKey);
    }
  }

  keysOfIdentity(identity: string): readonly EndpointKey[] {
    return [...(this.#byIdentity.get(identity) ?? [])];
  }

  /** UIDs of those whose node has one of these addresses. O(CiliumEndpoints). */
  keysOnNode(addresses: ReadonlySet<Address>): EndpointKey[] {
    const uids: EndpointKey[] = [];
    for (const one of this.#byUid.values()) {
      if (one.nodeAddress !== undefined && addresses.has(one.nodeAddress)) uids.push(one.uid);
    }
    return uids;
  }

  hasOwnerless(name: string): boolean {
    return this.#ownerless.has(name);
  }

  ownerless(name: string): CiliumEndpoint[] {
    return this.#all(this.#ownerless.get(name));
  }

  /** Those that may describe the endpoint `key`, whose Pod (if known) has this name. */
  candidates(key: EndpointKey, podName: string | undefined): CiliumEndpoint[] {
    const own = this.#byUid.get(key);
    const found = this.#all(this.#byPod.get(key));
    if (podName !== undefined) found.push(...this.ownerless(podName));
    if (own?.podUid === "" && !found.includes(own)) found.push(own);
    return found;
  }

  /** The endpoint, or undefined while its identity or addresses are not known (rules 3.2, 3.5). */
  join(
    key: EndpointKey,
    one: CiliumEndpoint,
    nodeAt: (address: Address | undefined) => string,
  ): Endpoint | undefined {
    const labels = this.#identities.get(one.identity);
    if (labels === undefined || one.addresses.length === 0) return undefined;
    return {
      key,
      namespace: one.namespace,
      name: one.name,
      ownLabels: labels,
      labels,
      addresses: one.addresses,
      node: nodeAt(one.nodeAddress),
      createdAt: one.createdAt,
      ciliumUid: one.uid,
    };
  }

  #all(uids: Iterable<EndpointKey> | undefined): CiliumEndpoint[] {
    return [...(uids ?? [])].map((uid) => this.#byUid.get(uid) as CiliumEndpoint);
  }

  #index(one: CiliumEndpoint, there: boolean): void {
    const name = `${one.namespace}/${one.name}`;
    if (one.podUid === "") note(this.#ownerless, name, one.uid, there);
    else note(this.#byPod, one.podUid, one.uid, there);
    if (one.identity !== "") note(this.#byIdentity, one.identity, one.uid, there);
  }
}

function note<K, V>(index: Map<K, Set<V>>, key: K, value: V, there: boolean): void {
  const values = index.get(key) ?? new Set<V>();
  if (there) index.set(key, values.add(value));
  else if (values.delete(value) && values.size === 0) index.delete(key);
}
