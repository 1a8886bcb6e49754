// The lab's Kubernetes objects: files that the agents watch, as they would watch an API server.

import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./lab-error.ts";
import type { LabPlace } from "./place.ts";
import type { LabPod } from "./state.ts";
import { writeWhole } from "./state.ts";
import type { LabNode } from "./topology.ts";

/** Where all pods live. */
export const NAMESPACE = "lab";

interface LabObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

function fileOf(place: LabPlace, kind: string, name: string): string {
  return join(place.objects, `${kind.toLowerCase()}-${name}.json`);
}

/** Creates or replaces an object. */
export function writeObject(place: LabPlace, object: LabObject): void {
  const path = fileOf(place, object.kind, object.metadata.name);
  writeWhole(path, `${JSON.stringify(object, undefined, 1)}\n`);
}

/** True if there was one. */
export function deleteObject(place: LabPlace, kind: string, name: string): boolean {
  try {
    rmSync(fileOf(place, kind, name));
    return true;
  } catch {
    return false;
  }
}

/** The object as it is; undefined: there is none. */
export function readObject(place: LabPlace, kind: string, name: string): LabObject | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(place, kind, name), "utf8")) as LabObject;
  } catch {
    return undefined;
  }
}

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
export function labelNode(place: LabPlace, name: string, change: string): void {
  const node = readObject(place, "Node", name);
  if (node === undefined) {
    const remedy = "'sluice lab status' lists the nodes.";
    throw new LabError(`there is no node '${name}' in lab '${place.name}'`, remedy);
  }
  const [, key, value] = /^([^=]+?)(?:=(.*)|-)$/.exec(change) ?? [];
  if (key === undefined) {
    const remedy = "Write KEY=VALUE to set a label, KEY- to remove it.";
    throw new LabError(`'${change}' is no change of a label`, remedy);
  }
  const labels: Record<string, string> = { ...node.metadata.labels };
  if (value === undefined) delete labels[key];
  else labels[key] = value;
  writeObject(place, { ...node, metadata: { ...node.metadata, labels } });
}
