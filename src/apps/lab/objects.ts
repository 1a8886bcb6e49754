// What the lab's Kubernetes objects say; where they are kept is the business of lab-objects.ts.

import { randomUUID } from "node:crypto";
import { labelComplaint } from "../../model/parse/selector.ts";
import { LabError } from "./lab-error.ts";
import type { LabObject } from "./lab-objects.ts";
import { objectsOf } from "./lab-objects.ts";
import type { LabPlace } from "./place.ts";
import type { LabPod } from "./state.ts";
import type { LabNode } from "./topology.ts";

/** Where all pods live. */
export const NAMESPACE = "lab";

/** What the API server and the kubelet know of a node. */
export function nodeObject({ name, gateway, internal, outside, podCIDRs }: LabNode): LabObject {
  const labels = { "kubernetes.io/hostname": name, ...(gateway ? { egress: "yes" } : {}) };
  const addresses = [
    ...internal.map((address) => ({ type: "InternalIP", address })),
    ...outside.map((address) => ({ type: "ExternalIP", address })),
    { type: "Hostname", address: name },
  ];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: randomUUID(), creationTimestamp: now(), labels },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses, conditions: [{ type: "Ready", status: "True" }] },
  };
}

/** The namespace of all pods. */
export function namespaceObject(): LabObject {
  const labels = { "kubernetes.io/metadata.name": NAMESPACE };
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: NAMESPACE, uid: randomUUID(), creationTimestamp: now(), labels },
  };
}

/** A running pod, as the kubelet reports it once its network is there. */
export function podObject({ name, node, addresses }: LabPod): LabObject {
  const metadata = { name, namespace: NAMESPACE, uid: randomUUID(), creationTimestamp: now() };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, labels: { app: "client" } },
    spec: { nodeName: node, containers: [{ name: "client", image: "none" }] },
    status: {
      phase: "Running",
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
    },
  };
}

/** Kubernetes has whole seconds. */
export function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

/** `KEY=VALUE` sets a label of a node, `KEY-` removes it, as kubectl writes it. */
export async function labelNode(place: LabPlace, name: string, change: string): Promise<void> {
  const objects = await objectsOf(place);
  if ((await objects.get("Node", name)) === undefined) {
    const remedy = "'sluice lab status' lists the nodes.";
    throw new LabError(`there is no node '${name}' in lab '${place.name}'`, remedy);
  }
  const [, key, value] = /^([^=]+?)(?:=(.*)|-)$/.exec(change) ?? [];
  if (key === undefined) {
    const remedy = "Write KEY=VALUE to set a label, KEY- to remove it.";
    throw new LabError(`'${change}' is no change of a label`, remedy);
  }
  const complaint = labelComplaint({ key, value });
  if (complaint !== undefined) throw new LabError(`'${change}' is refused: ${complaint}`);
  await objects.label("Node", name, { key, value });
}
