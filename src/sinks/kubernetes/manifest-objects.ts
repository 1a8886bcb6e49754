// Objects of manifests: where each kind is served, and their application to a cluster.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import type { RawObject } from "../../drivers/kube/objects.ts";
import { applyObject } from "../../drivers/kube/objects.ts";
import type { ObjectName, Resource } from "../../drivers/kube/resource.ts";
import { present } from "../../lib/assert.ts";

/** Kind -> URL's word and whether objects of it lie in namespaces. */
const KINDS: Readonly<Record<string, readonly [plural: string, namespaced: boolean]>> = {
  CustomResourceDefinition: ["customresourcedefinitions", false],
  Namespace: ["namespaces", false],
  ServiceAccount: ["serviceaccounts", true],
  ClusterRole: ["clusterroles", false],
  ClusterRoleBinding: ["clusterrolebindings", false],
  Role: ["roles", true],
  RoleBinding: ["rolebindings", true],
  ValidatingAdmissionPolicy: ["validatingadmissionpolicies", false],
  ValidatingAdmissionPolicyBinding: ["validatingadmissionpolicybindings", false],
  DaemonSet: ["daemonsets", true],
  Deployment: ["deployments", true],
  Service: ["services", true],
};

/** One object of a manifest. */
export interface ManifestObject {
  readonly resource: Resource;
  readonly name: ObjectName;
  readonly object: RawObject;
}

/** As people call it: `DaemonSet/sluice-agent`. */
export function manifestTitle({ resource, name }: ManifestObject): string {
  return `${resource.kind}/${name.name}`;
}

/** A document of our manifests. An unknown kind is a programmer error. */
export function manifestObject(object: RawObject): ManifestObject {
  const { apiVersion, kind, metadata } = object as {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: ObjectName;
  };
  const [plural, namespaced] = present(KINDS[kind], `a kind of manifests, not ${kind}`);
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const resource = { group: group ?? "", version: version ?? "", plural, kind, namespaced };
  const { name, namespace = "" } = metadata;
  return { resource, name: namespaced ? { name, namespace } : { name }, object };
}

/** Of the agents' DaemonSet: which image they run, with which words. */
export function agentContainer(daemonSet: RawObject): { image: string; args: readonly string[] } {
  const { spec } = daemonSet as unknown as {
    readonly spec: { readonly template: { readonly spec: PodSpec } };
  };
  const [{ image, args = [] }] = spec.template.spec.containers;
  return { image, args };
}

interface PodSpec {
  readonly containers: readonly [{ readonly image: string; readonly args?: readonly string[] }];
}

export interface ManifestOptions {
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** Server-side apply: creates it, or changes what is ours in it. Throws OperationError. */
export async function applyManifest(
  connection: KubeConnection,
  { resource, name, object }: ManifestObject,
  options: ManifestOptions,
): Promise<void> {
  const fieldManager = "sluice-install";
  await applyObject(connection, resource, name, object, { ...options, fieldManager });
}
