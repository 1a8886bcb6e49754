// The model: tables of parsed objects, joined to what the engine needs. A refused object leaves its
// last accepted version in force (rule 2.3). What a policy then means is the engine's business.

import { unreachable } from "../lib/assert.ts";
import { sameValue } from "../lib/equal.ts";
import type { Prefix } from "../net/prefix.ts";
import { Before } from "./change.ts";
import type { ClusterPrefixes } from "./cluster-prefixes.ts";
import type { ModelDelta, ModelView } from "./delta.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";
import { EndpointJoin } from "./endpoint-join.ts";
import { Inside } from "./inside.ts";
import type { Issue } from "./issue.ts";
import { compareIssues } from "./issue.ts";
import type { Node, NodeState } from "./node.ts";
import { NodeTable } from "./node-table.ts";
import type { Kind, ObjectChange, Service } from "./objects.ts";
import type { Policy } from "./policy.ts";

/** What others are joined with goes first, so that a batch joins each endpoint once. */
const JOIN_ORDER: readonly Kind[] = [
  "Namespace",
  "CiliumIdentity",
  "Node",
  "CiliumNode",
  "NodeState",
  "CiliumEgressGatewayPolicy",
  "ServiceCIDR",
  "IPPool",
  "Service",
  "Pod",
  "CiliumEndpoint",
];

export class Cluster {
  readonly #policies = new Table<Policy>();
  readonly #states = new Table<NodeState>();
  readonly #nodes = new NodeTable();
  readonly #nodesBefore = new Before<string, Node>();
  readonly #endpoints = new EndpointJoin(this.#nodes);
  readonly #services = new Table<Service>();
  readonly #serviceCidrs = new Table<readonly Prefix[]>();
  readonly #ipPools = new Table<readonly Prefix[]>();
  readonly #inside = new Inside(() => ({
    nodes: this.#nodes.all(),
    services: this.#services.values,
    serviceCidrs: this.#serviceCidrs.values,
    ipPools: this.#ipPools.values,
    endpoints: () => this.endpoints(),
  }));
  readonly #issues = new Map<Kind, Map<string, readonly Issue[]>>();

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
    for (const kind of JOIN_ORDER) {
      for (const change of byKind[kind] ?? []) this.#applyOne(change);
    }
    const delta = {
      policies: this.#policies.take(),
      nodes: this.#nodesBefore.take((name) => this.#nodes.get(name), sameValue),
      states: this.#states.take(),
      endpoints: this.#endpoints.take(),
    };
    this.#noteInside(delta);
    return delta;
  }

  /** The whole model now. The endpoints are joined anew: O(endpoints). */
  view(): ModelView {
    return {
      policies: new Map(this.#policies.values),
      nodes: this.#nodes.all(),
      states: new Map(this.#states.values),
      endpoints: this.#endpoints.all(),
      services: new Map(this.#services.values),
      serviceCidrs: new Map(this.#serviceCidrs.values),
      ipPools: new Map(this.#ipPools.values),
    };
  }

  /** Every endpoint now, in no order. They are joined anew: O(endpoints). */
  endpoints(): Iterable<Endpoint> {
    return this.#endpoints.all().values();
  }

  /** Pods that are no endpoints (rules 3.2, 3.5), in no order; `addresses` may be empty. */
  otherPods(): Iterable<Endpoint> {
    return this.#endpoints.others();
  }

  /**
   * What is inside the cluster now (rule 8.2), with what `--cluster-cidr` adds (`extra`). The same
   * object until it changes. O(nodes + services) after one of them changed; O(endpoints) the first
   * time and after a podCIDR or IPPool went.
   */
  prefixes({ extra }: { readonly extra: readonly Prefix[] }): ClusterPrefixes {
    return this.#inside.prefixes(extra);
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

  #noteInside({ nodes, endpoints }: ModelDelta): void {
    const ranges = [this.#services.take(), this.#serviceCidrs.take(), this.#ipPools.take()];
    if ([nodes, ...ranges].some((changes) => changes.length > 0)) this.#inside.noteObjects();
    this.#inside.noteEndpoints(endpoints);
  }

  #applyOne(change: ObjectChange): void {
    switch (change.kind) {
      case "CiliumEgressGatewayPolicy":
        return this.#policies.set(change.key, change.value);
      case "NodeState":
        return this.#states.set(change.key, change.value);
      case "Node":
      case "CiliumNode":
        return this.#applyNode(change.kind, change.key, change.value);
      case "Namespace":
        return this.#endpoints.setNamespace(change.key, change.value);
      case "CiliumIdentity":
        return this.#endpoints.setIdentity(change.key, change.value);
      case "Service":
        return this.#services.set(change.key, change.value);
      case "ServiceCIDR":
        return this.#serviceCidrs.set(change.key, change.value);
      case "IPPool":
        return this.#ipPools.set(change.key, change.value);
      case "Pod":
        return this.#endpoints.setPod(change.key as EndpointKey, change.value);
      case "CiliumEndpoint":
        return this.#endpoints.setCiliumEndpoint(change.key as EndpointKey, change.value);
      default:
        return unreachable(change);
    }
  }

  #applyNode(kind: "Node" | "CiliumNode", name: string, node: Node | undefined): void {
    this.#nodesBefore.note(name, () => this.#nodes.get(name));
    this.#endpoints.beforeNode(this.#nodes.changedAddresses(kind, name, node));
    this.#nodes.set(kind, name, node);
  }
}

/** Objects of one kind by name, with their differences. */
class Table<V> {
  readonly values = new Map<string, V>();
  readonly #before = new Before<string, V>();

  set(name: string, value: V | undefined): void {
    this.#before.note(name, () => this.values.get(name));
    if (value === undefined) this.values.delete(name);
    else this.values.set(name, value);
  }

  take() {
    return this.#before.take((name) => this.values.get(name), sameValue);
  }
}
