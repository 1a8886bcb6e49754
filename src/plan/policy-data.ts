// A policy as the Kubernetes object that one would write for it.

import type { Data, DataObject } from "../lib/data.ts";
import { NAMESPACE_LABEL_PREFIX } from "../model/namespace-labels.ts";
import type { GatewayEntry, Policy, Rule } from "../model/policy.ts";
import { DISTRIBUTION_ANNOTATION } from "../model/policy.ts";
import type { Selector } from "../model/selector.ts";
import { renderPrefix } from "../net/prefix.ts";

/** Parsing it gives the policy again, but for its age. */
export function policyData(policy: Policy): DataObject {
  const { name, distribution, rules, destinations, exclusions, gateways, listed } = policy;
  const annotations = distribution && { [DISTRIBUTION_ANNOTATION]: distribution };
  const entries = gateways.map(gatewayData);
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name, ...(annotations && { annotations }) },
    spec: {
      selectors: rules.map(ruleData),
      destinationCIDRs: destinations.map(renderPrefix),
      ...(exclusions.length > 0 && { excludedCIDRs: exclusions.map(renderPrefix) }),
      ...(listed ? { egressGateways: entries } : { egressGateway: entries[0] as Data }),
    },
  };
}

function ruleData({ pod, namespace, node }: Rule): Data {
  return {
    ...(pod && { podSelector: selectorData(pod) }),
    ...(namespace && { namespaceSelector: selectorData(namespaceLabels(namespace)) }),
    ...(node && { nodeSelector: selectorData(node) }),
  };
}

/** The selector of a namespace's own labels: what the parser made of `{}` is `{}` again. */
function namespaceLabels(selector: Selector): Selector {
  return selector
    .filter(({ key }) => key.startsWith(NAMESPACE_LABEL_PREFIX))
    .map((one) => ({ ...one, key: one.key.slice(NAMESPACE_LABEL_PREFIX.length) }));
}

function selectorData(selector: Selector): DataObject {
  const labels = new Map<string, string>();
  const expressions: Data[] = [];
  for (const { key, operator, values } of selector) {
    const [value, second] = values;
    if (operator === "In" && value !== undefined && second === undefined && !labels.has(key)) {
      labels.set(key, value);
    } else expressions.push({ key, operator, ...(values.length > 0 && { values }) });
  }
  return {
    ...(labels.size > 0 && { matchLabels: Object.fromEntries(labels) }),
    ...(expressions.length > 0 && { matchExpressions: expressions }),
  };
}

function gatewayData({ nodeSelector, egressIPText, interface: device }: GatewayEntry): Data {
  return {
    nodeSelector: selectorData(nodeSelector),
    ...(device !== "" && { interface: device }),
    ...(egressIPText !== "" && { egressIP: egressIPText }),
  };
}
