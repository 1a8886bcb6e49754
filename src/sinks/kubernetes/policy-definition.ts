// The definition of policies (a CRD) that a cluster has: whose it is, and what is then different.

import type { RawObject } from "../../drivers/kube/objects.ts";

export const POLICY_DEFINITION = "ciliumegressgatewaypolicies.cilium.io";

/** The label by which our own objects are known. */
const OWN_LABEL = "app.kubernetes.io/name";
const OWN_VALUE = "sluice";

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly pattern?: string;
  readonly "x-kubernetes-validations"?: readonly unknown[];
}

interface Version {
  readonly name?: string;
  readonly schema?: { readonly openAPIV3Schema?: Schema };
  readonly subresources?: { readonly status?: unknown };
}

/** True for what Sluice installed. */
export function isOwnDefinition(definition: RawObject): boolean {
  const { metadata } = definition as {
    readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  };
  return metadata?.labels?.[OWN_LABEL] === OWN_VALUE;
}

/** What somebody else's definition cannot do that ours can: sentences for people. */
export function lackingIn(definition: RawObject): string[] {
  const { versions = [] } = (definition["spec"] ?? {}) as {
    readonly versions?: readonly Version[];
  };
  const version = versions.find(({ name }) => name === "v2");
  if (version === undefined) return ["it has no version v2: Sluice reads nothing of it"];
  const spec = version.schema?.openAPIV3Schema?.properties?.["spec"] ?? {};
  const fields = spec.properties ?? {};
  const lacking: string[] = [];
  if (fields["egressGateways"] === undefined) {
    lacking.push("egressGateways is not among its fields: a list of gateways is dropped silently");
  }
  if (spec.required?.includes("egressGateway") === true) {
    lacking.push("egressGateway is required: repeat the first entry of egressGateways in it");
  }
  if (version.subresources?.status === undefined) {
    lacking.push("it has no status and no columns: the same goes out as events and metrics");
  }
  if (spec["x-kubernetes-validations"] === undefined) {
    lacking.push("what is wrong in a policy is not refused when applied: events say so later");
  }
  const prefixes = fields["destinationCIDRs"]?.items?.pattern ?? "";
  if (prefixes !== "" && !prefixes.includes(":")) {
    lacking.push("it takes IPv4 prefixes only");
  }
  return lacking;
}
