// The lab's objects in a real API server. The lab writes what in a cluster a kubelet or a
// controller would write, too: the addresses of nodes and pods.

import { KubeConnection } from "../../drivers/kube/connection.ts";
import type { Place } from "../../drivers/kube/access.ts";
import {
  applyObject,
  deleteObject,
  getObject,
  listPages,
  mergeObject,
} from "../../drivers/kube/objects.ts";
import type { RawObject } from "../../drivers/kube/objects.ts";
import type { ObjectName, Resource } from "../../drivers/kube/resource.ts";
import { apiVersionOf } from "../../drivers/kube/resource.ts";
import { readKubernetes } from "../../sources/kubernetes/read.ts";
import type { LabObject, LabObjects } from "./lab-objects.ts";
import { NAMESPACE } from "./objects.ts";

const core = (kind: string, plural: string, namespaced = false): Resource => {
  return { group: "", version: "v1", plural, kind, namespaced };
};
const rbac = (kind: string, plural: string): Resource => {
  const group = "rbac.authorization.k8s.io";
  return { group, version: "v1", plural, kind, namespaced: false };
};

/** What a lab makes of objects. */
const RESOURCES: Readonly<Record<string, Resource>> = {
  Node: core("Node", "nodes"),
  Namespace: core("Namespace", "namespaces"),
  Pod: core("Pod", "pods", true),
  ServiceAccount: core("ServiceAccount", "serviceaccounts", true),
  ClusterRole: rbac("ClusterRole", "clusterroles"),
  ClusterRoleBinding: rbac("ClusterRoleBinding", "clusterrolebindings"),
  CiliumEgressGatewayPolicy: {
    group: "cilium.io",
    version: "v2",
    plural: "ciliumegressgatewaypolicies",
    kind: "CiliumEgressGatewayPolicy",
    namespaced: false,
  },
};

/** Kinds whose status is written apart from the rest. */
const WITH_STATUS = new Set(["Node", "Pod"]);
const WATCHED = ["Node", "Pod", "CiliumEgressGatewayPolicy"];
/** Who wrote an object, in its managedFields. */
export const FIELD_MANAGER = "sluice-lab";
const MANAGER = { fieldManager: FIELD_MANAGER, force: true };

/** Which API server a lab uses; undefined for the kubeconfig's current context. */
export interface ApiLogin {
  readonly kubeconfig: string;
  readonly context?: string;
}

interface ApiLabel {
  readonly key: string;
  readonly value?: string | null | undefined;
}

export class ApiObjects implements LabObjects {
  readonly connection: KubeConnection;
  readonly #place: Place;

  /** What a lab wrote down of its login. Throws OperationError. */
  static open(login: unknown): ApiObjects {
    return new ApiObjects(login as ApiLogin);
  }

  constructor({ kubeconfig, context }: ApiLogin) {
    this.#place = { kind: "kubeconfig", path: kubeconfig, context };
    this.connection = new KubeConnection(this.#place);
  }

  get name(): string {
    return this.connection.server;
  }

  async put(object: LabObject): Promise<void> {
    const { kind } = object;
    const resource = resourceOf(kind);
    const name = nameOf(kind, object.metadata.name);
    const { status, ...rest } = object;
    // The API server has these to give.
    const { uid: _, creationTimestamp: __, resourceVersion: ___, ...metadata } = object.metadata;
    const written = { ...rest, metadata: { ...metadata, managedFields: undefined } };
    await applyObject(this.connection, resource, name, written, MANAGER);
    if (!WITH_STATUS.has(kind) || status === undefined) return;
    // Not applied: two addresses of one type would be one to the API server.
    const part = { subresource: "status" };
    await mergeObject(this.connection, resource, name, { status }, part);
  }

  async label(kind: string, name: string, { key, value = null }: ApiLabel): Promise<void> {
    const patch = { metadata: { labels: { [key]: value } } };
    await mergeObject(this.connection, resourceOf(kind), nameOf(kind, name), patch);
  }

  remove(kind: string, name: string): Promise<boolean> {
    // Nobody here would end a pod's containers and say so.
    const options = kind === "Pod" ? { graceSeconds: 0 } : {};
    return deleteObject(this.connection, resourceOf(kind), nameOf(kind, name), options);
  }

  async get(kind: string, name: string): Promise<LabObject | undefined> {
    const found = await getObject(this.connection, resourceOf(kind), nameOf(kind, name));
    return found as LabObject | undefined;
  }

  async all(kind: string): Promise<readonly LabObject[]> {
    const resource = resourceOf(kind);
    const type = { apiVersion: apiVersionOf(resource), kind };
    const objects: LabObject[] = [];
    for await (const { items } of listPages(this.connection, resource)) {
      for (const item of items as RawObject[]) objects.push({ ...type, ...item } as LabObject);
    }
    return objects;
  }

  async read() {
    const { changes, issues } = await readKubernetes(this.#place);
    // What the nodes have, the lab asks their kernels.
    return { changes: changes.filter(({ kind }) => kind !== "NodeState"), issues };
  }

  async fingerprint(): Promise<string> {
    const lists = await Promise.all(WATCHED.map((kind) => this.all(kind)));
    const versions = lists.flat().map(({ metadata }) => {
      return `${String(metadata["uid"])} ${String(metadata["resourceVersion"])}`;
    });
    return versions.join("\n");
  }
}

function resourceOf(kind: string): Resource {
  const resource = RESOURCES[kind];
  if (resource === undefined) throw new Error(`a lab has no ${kind}`);
  return resource;
}

function nameOf(kind: string, name: string): ObjectName {
  return resourceOf(kind).namespaced ? { name, namespace: NAMESPACE } : { name };
}
