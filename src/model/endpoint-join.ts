// Endpoints from the objects that describe them: a Pod with its namespace's labels, or a
// CiliumEndpoint with its identity's (rules 3.1, 3.2). Every change of one of them says first which
// endpoints it may change.

import { present } from "../lib/assert.ts";
import { sameList } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import { Before, type Change } from "./change.ts";
import { CiliumEndpoints } from "./cilium-endpoints.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";
import type { Labels } from "./labels.ts";
import { NamespaceLabels } from "./namespace-labels.ts";
import type { NodeTable } from "./node-table.ts";
import type { CiliumEndpoint, Pod } from "./objects.ts";

type Named = Pick<Endpoint, "namespace" | "name">;

export class EndpointJoin {
  readonly #nodes: NodeTable;
  readonly #namespaces = new NamespaceLabels();
  readonly #ciliumEndpoints = new CiliumEndpoints();
  /** Every Pod as an endpoint; those without addresses are none (rule 3.5). */
  readonly #pods = new Map<EndpointKey, Endpoint>();
  /** Keys by `namespace/name`; kept only once a CiliumEndpoint without Pod owner needed it. */
  #podsByName: Map<string, Set<EndpointKey>> | undefined;
  /** Pods that this turn saw first; before it they were none. Cheaper than `#before`. */
  #fresh: EndpointKey[] = [];
  readonly #before = new Before<EndpointKey, Endpoint>();

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (!this.#namespaces.set(name, labels)) return;
    for (const pod of this.#pods.values()) {
      if (pod.namespace !== name) continue;
      this.#touch(pod.key);
      this.#pods.set(pod.key, { ...pod, labels: this.#namespaces.join(name, pod.ownLabels) });
    }
  }

  setIdentity(name: string, labels: Labels | undefined): void {
    this.#touchAll(this.#ciliumEndpoints.keysOfIdentity(name));
    this.#ciliumEndpoints.setIdentity(name, labels);
  }

  /** Called before a node changes these addresses: a CiliumEndpoint names its node by one. */
  beforeNode(addresses: ReadonlySet<Address>): void {
    if (addresses.size > 0) this.#touchAll(this.#ciliumEndpoints.keysOnNode(addresses));
  }

  setPod(key: EndpointKey, pod: Pod | undefined): void {
    const old = this.#pods.get(key);
    const unseen = old === undefined && !this.#before.has(key);
    if (!unseen || this.#ciliumEndpoints.size > 0) this.#touch(key);
    else if (pod !== undefined) this.#fresh.push(key);
    const names = this.#podsByName === undefined ? [] : [old, pod].flatMap(nameOf);
    for (const name of names) this.#touchNamed(name);
    if (pod === undefined) this.#pods.delete(key);
    else this.#pods.set(key, this.#podEndpoint(pod));
    if (this.#podsByName === undefined) return;
    for (const name of nameOf(old)) indexName(this.#podsByName, name, key, false);
    for (const name of nameOf(pod)) indexName(this.#podsByName, name, key, true);
    for (const name of names) this.#touchNamed(name);
  }

  setCiliumEndpoint(uid: EndpointKey, value: CiliumEndpoint | undefined): void {
    for (const one of [this.#ciliumEndpoints.get(uid), value]) {
      if (one === undefined) continue;
      if (one.podUid !== "") this.#touch(one.podUid as EndpointKey);
      else this.#indexPods();
      this.#touch(uid);
      for (const pod of this.#podsNamed(one)) this.#touch(pod.key);
    }
    this.#ciliumEndpoints.set(uid, value);
  }

  /** Ends a turn: the endpoints that it changed. */
  take(): Change<EndpointKey, Endpoint>[] {
    // A key can be noted twice only if this turn also touched what it had put there.
    const fresh = this.#before.size === 0 ? this.#fresh : new Set(this.#fresh);
    const changes: Change<EndpointKey, Endpoint>[] = [];
    for (const key of fresh) {
      this.#before.forget(key);
      const value = this.#endpoint(key);
      if (value !== undefined) changes.push({ key, value });
    }
    this.#fresh = [];
    const differing = this.#before.take((key) => this.#endpoint(key), sameEndpoint);
    return changes.length === 0 ? differing : changes.concat(differing);
  }

  /** Every endpoint now. O(endpoints). */
  all(): Map<EndpointKey, Endpoint> {
    const endpoints = new Map<EndpointKey, Endpoint>();
    for (const key of [...this.#pods.keys(), ...this.#ciliumEndpoints.ownKeys()]) {
      const endpoint = this.#endpoint(key);
      if (endpoint !== undefined) endpoints.set(key, endpoint);
    }
    return endpoints;
  }

  /** Pods that are no endpoints: without an address (rule 3.5) or an identity (3.2). O(Pods). */
  *others(): Generator<Endpoint> {
    for (const pod of this.#pods.values()) {
      if (this.#endpoint(pod.key) === undefined) yield pod;
    }
  }

  #podEndpoint(pod: Pod): Endpoint {
    return {
      key: pod.key,
      namespace: pod.namespace,
      name: pod.name,
      ownLabels: pod.labels,
      labels: this.#namespaces.join(pod.namespace, pod.labels),
      addresses: pod.addresses,
      node: pod.node,
      createdAt: pod.createdAt,
      ciliumUid: "",
    };
  }

  /** Records what the key's endpoint was before this turn; called before every mutation. */
  #touch(key: EndpointKey): void {
    this.#before.note(key, (noted) => this.#endpoint(noted));
  }

  #touchAll(uids: Iterable<EndpointKey>): void {
    for (const uid of uids) {
      const one = present(this.#ciliumEndpoints.get(uid), "an indexed CiliumEndpoint");
      this.#touch(this.#keyOf(one));
    }
  }

  /** A CiliumEndpoint without Pod owner may change its Pod when one of this name comes or goes. */
  #touchNamed(name: string): void {
    if (!this.#ciliumEndpoints.hasOwnerless(name)) return;
    for (const key of this.#podsByName?.get(name) ?? []) this.#touch(key);
    for (const one of this.#ciliumEndpoints.ownerless(name)) this.#touch(one.uid);
  }

  #indexPods(): void {
    if (this.#podsByName !== undefined) return;
    this.#podsByName = new Map();
    for (const pod of this.#pods.values()) {
      for (const name of nameOf(pod)) indexName(this.#podsByName, name, pod.key, true);
    }
  }

  #podsNamed(one: Named): Endpoint[] {
    const keys = nameOf(one).flatMap((name) => [...(this.#podsByName?.get(name) ?? [])]);
    return keys.map((key) => present(this.#pods.get(key), "an indexed Pod"));
  }

  /** What a CiliumEndpoint describes: its Pod owner, the newest Pod of its name, or itself. */
  #keyOf(one: CiliumEndpoint): EndpointKey {
    if (one.podUid !== "") return one.podUid as EndpointKey;
    return this.#podsNamed(one).sort(newestFirst)[0]?.key ?? one.uid;
  }

  /** The endpoint with this key now: a CiliumEndpoint wins over a Pod. */
  #endpoint(key: EndpointKey): Endpoint | undefined {
    const pod = this.#pods.get(key);
    if (this.#ciliumEndpoints.size > 0) {
      const describing = this.#ciliumEndpoints
        .candidates(key, nameOf(pod)[0])
        .filter((one) => this.#keyOf(one) === key)
        .map((one) => ({ one, key: one.uid, createdAt: one.createdAt }))
        .sort(newestFirst)[0];
      if (describing !== undefined) {
        const nodeAt = (address: Address | undefined) => this.#nodes.at(address);
        return this.#ciliumEndpoints.join(key, describing.one, nodeAt);
      }
    }
    return pod !== undefined && pod.addresses.length > 0 ? pod : undefined;
  }
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.labels === b.labels &&
    a.node === b.node &&
    a.createdAt === b.createdAt &&
    a.ciliumUid === b.ciliumUid &&
    a.name === b.name &&
    a.namespace === b.namespace &&
    a.ownLabels === b.ownLabels &&
    sameList(a.addresses, b.addresses)
  );
}

function newestFirst(a: Pick<Endpoint, "createdAt" | "key">, b: typeof a): number {
  return b.createdAt - a.createdAt || compareBytes(b.key, a.key);
}

/** `namespace/name`; none for nothing. */
function nameOf(one: Named | undefined): string[] {
  return one === undefined ? [] : [`${one.namespace}/${one.name}`];
}

function indexName(
  index: Map<string, Set<EndpointKey>>,
  name: string,
  key: EndpointKey,
  there: boolean,
): void {
  const keys = index.get(name) ?? new Set();
  if (there) index.set(name, keys.add(key));
  else if (keys.delete(key) && keys.size === 0) index.delete(name);
}
