// The naive model: what the objects of a moment say together, computed anew from all of them (rules
// 3.1, 3.2, 3.5 and 3.6; which object describes an endpoint stands in docs/semantics.md).

import type { ModelView } from "../../src/model/delta.ts";
import type { Endpoint, EndpointKey } from "../../src/model/endpoint.ts";
import type { Labels } from "../../src/model/labels.ts";
import { internLabels } from "../../src/model/labels.ts";
import type { Node } from "../../src/model/node.ts";
import type {
  CiliumEndpoint,
  Kind,
  ObjectChange,
  ObjectKinds,
  Pod,
} from "../../src/model/objects.ts";

/** Objects by kind and key. */
export class Objects {
  readonly #objects = new Map<string, ObjectChange>();

  /** The last accepted version counts (rule 2.3). */
  take(change: ObjectChange): void {
    const id = `${change.kind}/${change.key}`;
    if (change.refused) return;
    if (change.value === undefined) this.#objects.delete(id);
    else this.#objects.set(id, change);
  }

  all<K extends Kind>(kind: K): Map<string, ObjectKinds[K]> {
    const found = [...this.#objects.values()].filter((one) => one.kind === kind);
    return new Map(found.map(({ key, value }) => [key, value as ObjectKinds[K]]));
  }
}

export function joinNaively(objects: Objects): ModelView {
  const nodes = new Map([...objects.all("Node"), ...objects.all("CiliumNode")]);
  return {
    policies: objects.all("CiliumEgressGatewayPolicy"),
    states: objects.all("NodeState"),
    nodes,
    endpoints: joinEndpoints(objects, nodes),
    services: objects.all("Service"),
    serviceCidrs: objects.all("ServiceCIDR"),
    ipPools: objects.all("IPPool"),
  };
}

function joinEndpoints(
  objects: Objects,
  nodes: ReadonlyMap<string, Node>,
): Map<EndpointKey, Endpoint> {
  const pods = [...objects.all("Pod").values()];
  const namespaces = objects.all("Namespace");
  const identities = objects.all("CiliumIdentity");
  const endpoints = new Map<EndpointKey, Endpoint>();
  for (const pod of pods) {
    if (pod.addresses.length > 0) endpoints.set(pod.key, podEndpoint(pod, namespaces));
  }
  // A CiliumEndpoint wins over the Pod, the newest one over the others.
  const oldestFirst = [...objects.all("CiliumEndpoint").values()].sort(
    (a, b) => a.createdAt - b.createdAt || byBytes(a.uid, b.uid),
  );
  for (const one of oldestFirst) {
    const key = one.podUid !== "" ? (one.podUid as EndpointKey) : (namesake(one, pods) ?? one.uid);
    const labels = identities.get(one.identity);
    // Without its identity nothing is known of it yet, whatever else describes the pod.
    if (labels === undefined || one.addresses.length === 0) endpoints.delete(key);
    else endpoints.set(key, ciliumEndpoint(one, { key, labels, nodes }));
  }
  return endpoints;
}

function podEndpoint(pod: Pod, namespaces: ReadonlyMap<string, Labels>): Endpoint {
  const { key, namespace, name, labels: ownLabels, addresses, node, createdAt } = pod;
  const labels = internLabels([
    ...pairs(ownLabels),
    ...pairs(namespaces.get(namespace) ?? []).map(([label, value]): [string, string] => {
      return [`io.cilium.k8s.namespace.labels.${label}`, value];
    }),
    ["io.kubernetes.pod.namespace", namespace],
  ]);
  return { key, namespace, name, ownLabels, labels, addresses, node, createdAt, ciliumUid: "" };
}

function ciliumEndpoint(
  { uid, namespace, name, addresses, nodeAddress, createdAt }: CiliumEndpoint,
  of: { key: EndpointKey; labels: Labels; nodes: ReadonlyMap<string, Node> },
): Endpoint {
  const { key, labels } = of;
  const [node = ""] = [...of.nodes.values()]
    .filter((one) => one.addresses.some((address) => address === nodeAddress))
    .map((one) => one.name)
    .sort(byBytes);
  const joined = { key, namespace, name, ownLabels: labels, labels, addresses };
  return { ...joined, node, createdAt, ciliumUid: uid };
}

/** The newest Pod of the same name, for a CiliumEndpoint that names no Pod. */
function namesake(
  { namespace, name }: CiliumEndpoint,
  pods: readonly Pod[],
): EndpointKey | undefined {
  const oldestFirst = pods
    .filter((pod) => pod.namespace === namespace && pod.name === name)
    .sort((a, b) => a.createdAt - b.createdAt || byBytes(a.key, b.key));
  return oldestFirst.at(-1)?.key;
}

function pairs(labels: readonly string[]): [string, string][] {
  return labels.flatMap((key, i): [string, string][] =>
    i % 2 === 0 ? [[key, labels[i + 1] as string]] : [],
  );
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
