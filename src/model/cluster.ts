// The model: tables of parsed objects, joined to what the engine needs. A Pod or a CiliumEndpoint
// becomes an Endpoint with its namespace's or its identity's labels; a refused object leaves its
// last accepted version in force (rule 2.3). What a policy then means is the engine's business.

import { present, unreachable } from "../lib/assert.ts";
import { sameList, sameValue } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { Change } from "./change.ts";
import { CiliumEndpoints } from "./cilium-endpoints.ts";
import type { ModelDelta, ModelView } from "./delta.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";
import type { Issue } from "./issue.ts";
import { compareIssues } from "./issue.ts";
import { NamespaceLabels } from "./namespace-labels.ts";
import type { Node, NodeState } from "./node.ts";
import { NodeTable } from "./node-table.ts";
import type { Kind, ObjectChange, Pod } from "./objects.ts";
import type { Policy } from "./policy.ts";

/** What others are joined with goes first, so that a batch joins each endpoint once. */
const JOIN_ORDER: readonly Kind[] = [
  "Namespace",
  "CiliumIdentity",
  "Node",
  "CiliumNode",
  "NodeState",
  "CiliumEgressGatewayPolicy",
  "Pod",
  "CiliumEndpoint",
];

/** Values as they were before this turn, by key; recorded on first touch. */
type Before<K, V> = Map<K, V | undefined>;

export class Cluster {
  readonly #policies = new Map<string, Policy>();
  readonly #states = new Map<string, NodeState>();
  readonly #nodes = new NodeTable();
  readonly #namespaces = new NamespaceLabels();
  readonly #ciliumEndpoints = new CiliumEndpoints();
  /** Every Pod as an endpoint; those without addresses are none (rule 3.5). */
  readonly #pods = new Map<EndpointKey, Endpoint>();
  /** Keys by `namespace/name`; kept only while a CiliumEndpoint without Pod owner needs it. */
  #podsByName: Map<string, Set<EndpointKey>> | undefined;
  readonly #issues = new Map<Kind, Map<string, readonly Issue[]>>();

  /** Endpoints that this turn saw first; before it they were none. */
  #fresh: EndpointKey[] = [];
  #touched: Before<EndpointKey, Endpoint> = new Map();

  /**
   * Takes the newest versions of objects; gives the real differences that follow. Repeated and
   * reordered input is welcome; of several versions of one object in a call the last one counts.
   */
  apply(changes: Iterable<ObjectChange>): ModelDelta {
    const byKind: Partial<Record<Kind, ObjectChange[]>> = {};
    for (const change of changes) {
      this.#noteIssues(change);
      if (!change.refused) (byKind[change.kind] ??= []).push(change);
    }
    const policies: Before<string, Policy> = new Map();
    const nodes: Before<string, Node> = new Map();
    const states: Before<string, NodeState> = new Map();
    for (const kind of JOIN_ORDER) {
      for (const change of byKind[kind] ?? []) {
        this.#applyOne(change, { policies, nodes, states });
      }
    }
    const endpoints = this.#takeEndpoints();
    return {
      policies: differences(policies, (name) => this.#policies.get(name), sameValue),
      nodes: differences(nodes, (name) => this.#nodes.get(name), sameValue),
      states: differences(states, (name) => this.#states.get(name), sameValue),
      endpoints,
    };
  }

  /** The endpoints that this turn changed. */
  #takeEndpoints(): Change<EndpointKey, Endpoint>[] {
    const touched = this.#touched;
    // A key can be noted twice only if this turn also touched what it had put there.
    const fresh = touched.size === 0 ? this.#fresh : new Set(this.#fresh);
    const changes: Change<EndpointKey, Endpoint>[] = [];
    for (const key of fresh) {
      touched.delete(key);
      const value = this.#endpoint(key);
      if (value !== undefined) changes.push({ key, value });
    }
    const differing = differences(touched, (key) => this.#endpoint(key), sameEndpoint);
    this.#fresh = [];
    this.#touched = new Map();
    return changes.length === 0 ? differing : changes.concat(differing);
  }

  /** The whole model now. The endpoints are joined anew: O(endpoints). */
  view(): ModelView {
    const endpoints = new Map<EndpointKey, Endpoint>();
    for (const key of [...this.#pods.keys(), ...this.#ciliumEndpoints.ownKeys()]) {
      const endpoint = this.#endpoint(key);
      if (endpoint !== undefined) endpoints.set(key, endpoint);
    }
    return {
      policies: new Map(this.#policies),
      nodes: this.#nodes.all(),
      states: new Map(this.#states),
      endpoints,
    };
  }

  /** Every node that an object describes, in no order. */
  nodeNames(): Iterable<string> {
    return this.#nodes.all().keys();
  }

  /** The issues of the newest version of every object, sorted. */
  issues(): readonly Issue[] {
    const all = [...this.#issues.values()].flatMap((issues) => [...issues.values()]);
    return all.flat().sort(compareIssues);
  }

  #noteIssues(change: ObjectChange): void {
    let issues = this.#issues.get(change.kind);
    if (change.issues.length === 0) {
      issues?.delete(change.key);
      return;
    }
    if (issues === undefined) this.#issues.set(change.kind, (issues = new Map()));
    issues.set(change.key, change.issues);
  }

  #applyOne(
    change: ObjectChange,
    before: {
      policies: Before<string, Policy>;
      nodes: Before<string, Node>;
      states: Before<string, NodeState>;
    },
  ): void {
    switch (change.kind) {
      case "CiliumEgressGatewayPolicy":
        return replace(this.#policies, change, before.policies);
      case "NodeState":
        return replace(this.#states, change, before.states);
      case "Node":
      case "CiliumNode":
        return this.#applyNode(change, before.nodes);
      case "Namespace":
        return this.#applyNamespace(change.key, change.value);
      case "CiliumIdentity":
        this.#touchAll(this.#ciliumEndpoints.keysOfIdentity(change.key));
        return this.#ciliumEndpoints.setIdentity(change.key, change.value);
      case "Pod":
        return this.#applyPod(change.key as EndpointKey, change.value);
      case "CiliumEndpoint":
        return this.#applyCiliumEndpoint(change.key as EndpointKey, change.value);
      default:
        return unreachable(change);
    }
  }

  #applyNode(
    change: { kind: "Node" | "CiliumNode"; key: string; value: Node | undefined },
    before: Before<string, Node>,
  ): void {
    const old = this.#nodes.get(change.key);
    if (!before.has(change.key)) before.set(change.key, old);
    const changed = this.#nodes.changedAddresses(change.kind, change.key, change.value);
    // A CiliumEndpoint names its node by an address, so it may follow the address.
    if (changed.size > 0) this.#touchAll(this.#ciliumEndpoints.keysOnNode(changed));
    this.#nodes.set(change.kind, change.key, change.value);
  }

  #applyNamespace(name: string, labels: Endpoint["ownLabels"] | undefined): void {
    if (!this.#namespaces.set(name, labels)) return;
    for (const pod of this.#pods.values()) {
      if (pod.namespace !== name) continue;
      this.#touch(pod.key);
      this.#pods.set(pod.key, { ...pod, labels: this.#namespaces.join(name, pod.ownLabels) });
    }
  }

  #applyPod(key: EndpointKey, pod: Pod | undefined): void {
    const old = this.#pods.get(key);
    if (old === undefined && this.#ciliumEndpoints.size === 0) this.#fresh.push(key);
    else this.#touch(key);
    const names = new Set(this.#podsByName === undefined ? [] : [podName(old), podName(pod)]);
    for (const name of names) this.#touchNamed(name);
    if (pod === undefined) this.#pods.delete(key);
    else this.#pods.set(key, this.#podEndpoint(pod));
    if (this.#podsByName === undefined) return;
    if (old !== undefined) indexName(this.#podsByName, podName(old), key, false);
    if (pod !== undefined) indexName(this.#podsByName, podName(pod), key, true);
    for (const name of names) this.#touchNamed(name);
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

  #applyCiliumEndpoint(uid: EndpointKey, value: Parameters<CiliumEndpoints["set"]>[1]): void {
    for (const one of [this.#ciliumEndpoints.get(uid), value]) {
      if (one === undefined) continue;
      if (one.podUid !== "") this.#touch(one.podUid as EndpointKey);
      else this.#indexPods();
      this.#touch(uid);
      for (const key of this.#podsByName?.get(podName(one)) ?? []) this.#touch(key);
    }
    this.#ciliumEndpoints.set(uid, value);
  }

  /** Records what the key's endpoint was before this turn; called before every mutation. */
  #touch(key: EndpointKey): void {
    if (!this.#touched.has(key)) this.#touched.set(key, this.#endpoint(key));
  }

  #touchAll(keys: Iterable<EndpointKey>): void {
    for (const uid of keys) {
      const ciliumEndpoint = present(this.#ciliumEndpoints.get(uid), "an indexed CiliumEndpoint");
      this.#touch(this.#keyOf(ciliumEndpoint));
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
    for (const pod of this.#pods.values()) indexName(this.#podsByName, podName(pod), pod.key, true);
  }

  /** The endpoint that a CiliumEndpoint describes: its Pod owner, the Pod of its name, or itself. */
  #keyOf(one: { uid: EndpointKey; podUid: string; namespace: string; name: string }): EndpointKey {
    if (one.podUid !== "") return one.podUid as EndpointKey;
    return this.#newestPodNamed(podName(one))?.key ?? one.uid;
  }

  #newestPodNamed(name: string): Endpoint | undefined {
    let newest: Endpoint | undefined;
    for (const key of this.#podsByName?.get(name) ?? []) {
      const pod = present(this.#pods.get(key), "an indexed Pod");
      if (newest === undefined || isNewer(pod, newest)) newest = pod;
    }
    return newest;
  }

  /** The endpoint with this key now: a CiliumEndpoint wins over a Pod. */
  #endpoint(key: EndpointKey): Endpoint | undefined {
    const pod = this.#pods.get(key);
    if (this.#ciliumEndpoints.size > 0) {
      const named = pod === undefined ? undefined : podName(pod);
      const describing = this.#ciliumEndpoints
        .candidates(key, named)
        .filter((one) => this.#keyOf(one) === key)
        .sort((a, b) => (isNewer({ ...a, key: a.uid }, { ...b, key: b.uid }) ? -1 : 1))[0];
      if (describing !== undefined) {
        return this.#ciliumEndpoints.join(key, describing, (address) => this.#nodes.at(address));
      }
    }
    return pod !== undefined && pod.addresses.length > 0 ? pod : undefined;
  }
}

function replace<V>(
  table: Map<string, V>,
  change: { key: string; value: V | undefined },
  before: Before<string, V>,
): void {
  if (!before.has(change.key)) before.set(change.key, table.get(change.key));
  if (change.value === undefined) table.delete(change.key);
  else table.set(change.key, change.value);
}

function differences<K, V>(
  before: Before<K, V>,
  now: (key: K) => V | undefined,
  same: (a: V, b: V) => boolean,
): Change<K, V>[] {
  const changes: Change<K, V>[] = [];
  for (const [key, old] of before) {
    const value = now(key);
    if (old === value || (old !== undefined && value !== undefined && same(old, value))) continue;
    changes.push({ key, value });
  }
  return changes;
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

function isNewer(
  a: { createdAt: number; key: string },
  b: { createdAt: number; key: string },
): boolean {
  return a.createdAt !== b.createdAt ? a.createdAt > b.createdAt : compareBytes(a.key, b.key) > 0;
}

function podName(one: { namespace: string; name: string } | undefined): string {
  return one === undefined ? "" : `${one.namespace}/${one.name}`;
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
