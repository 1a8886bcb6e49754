// CustomResourceDefinitions that take anything: what a source gets must not depend on a schema.

import type { Cluster } from "./cluster.ts";

export interface Definition {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced?: boolean;
  readonly shortNames?: readonly string[];
}

export const POLICIES: Definition = {
  group: "cilium.io",
  version: "v2",
  plural: "ciliumegressgatewaypolicies",
  kind: "CiliumEgressGatewayPolicy",
  shortNames: ["cegp"],
};

export const NODE_STATES: Definition = {
  group: "sluice.dev",
  version: "v1alpha1",
  plural: "nodestates",
  kind: "NodeState",
};

export const CILIUM_ENDPOINTS: Definition = {
  group: "cilium.io",
  version: "v2",
  plural: "ciliumendpoints",
  kind: "CiliumEndpoint",
  namespaced: true,
};

export const CILIUM_IDENTITIES: Definition = {
  group: "cilium.io",
  version: "v2",
  plural: "ciliumidentities",
  kind: "CiliumIdentity",
};

/** As Calico's own API server serves them, which keeps them elsewhere. */
export const CALICO_POOLS: Definition = {
  group: "projectcalico.org",
  version: "v3",
  plural: "ippools",
  kind: "IPPool",
};

/** Installs them and waits until they are served. */
export async function define(cluster: Cluster, ...definitions: Definition[]): Promise<void> {
  await cluster.apply(...definitions.map(manifestOf));
  const names = definitions.map(({ plural, group }) => `crd/${plural}.${group}`);
  await cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", ...names);
}

function manifestOf(definition: Definition): object {
  const { group, version, plural, kind, namespaced = false, shortNames = [] } = definition;
  const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const served = { name: version, served: true, storage: true };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames },
      versions: [{ ...served, schema: { openAPIV3Schema } }],
    },
  };
}
