// A definition of policies such as released Cilium installs: one gateway, which is required, IPv4
// prefixes only, no status, no rules; and the ConfigMap that says whether its egress gateway is on.

const prefixes = {
  type: "array",
  items: { type: "string", pattern: "^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$" },
};
const selector = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

export const CILIUM_DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: "ciliumegressgatewaypolicies.cilium.io",
    labels: { "io.cilium.k8s.crd.schema.version": "1.32.1" },
  },
  spec: {
    group: "cilium.io",
    scope: "Cluster",
    names: {
      kind: "CiliumEgressGatewayPolicy",
      plural: "ciliumegressgatewaypolicies",
      singular: "ciliumegressgatewaypolicy",
      shortNames: ["cegp"],
    },
    versions: [
      {
        name: "v2",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["destinationCIDRs", "egressGateway", "selectors"],
                properties: {
                  selectors: { type: "array", items: selector },
                  destinationCIDRs: prefixes,
                  excludedCIDRs: prefixes,
                  egressGateway: {
                    type: "object",
                    required: ["nodeSelector"],
                    properties: {
                      nodeSelector: selector,
                      egressIP: { type: "string" },
                      interface: { type: "string" },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
} as const;

/** What Cilium's agents read as their configuration. */
export function ciliumConfig(data: Readonly<Record<string, string>>) {
  const metadata = { name: "cilium-config", namespace: "kube-system" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data };
}
