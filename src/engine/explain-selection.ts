// Why a policy selects an endpoint or does not: every part of every rule, and what the pooled
// nodeSelectors make of it (rules 3.3, 3.4).

import type { Endpoint } from "../model/endpoint.ts";
import type { Labels } from "../model/labels.ts";
import { labelValue } from "../model/labels.ts";
import type { Policy } from "../model/policy.ts";
import type { Selector } from "../model/selector.ts";
import { requirementHolds } from "../model/selector.ts";
import type {
  FailedRequirement,
  PolicyExplanation,
  RuleExplanation,
  SelectorExplanation,
} from "../plan/explanation.ts";
import { ruleMatches } from "../plan/explanation.ts";

export interface Selection extends Pick<PolicyExplanation, "rules" | "nodePool" | "pooling"> {
  readonly selected: boolean;
}

/** `nodeLabels`: those of the endpoint's node; an unknown node has none. */
export function explainSelection(
  policy: Policy,
  endpoint: Endpoint,
  nodeLabels: Labels,
): Selection {
  const rules = policy.rules.map(({ pod, namespace, node }, i): RuleExplanation => ({
    path: `spec.selectors[${i}]`,
    pod: explainSelector(pod, endpoint.labels),
    namespace: explainSelector(namespace, endpoint.labels),
    node: explainSelector(node, nodeLabels),
  }));
  const nodePool = explainPool(rules);
  const matching = rules.filter(ruleMatches);
  const selected = matching.length > 0 && nodePool !== "fails";
  return { rules, nodePool, selected, pooling: explainPooling(matching, nodePool) };
}

/** The requirements that do not hold for `labels`. */
export function failedRequirements(selector: Selector, labels: Labels): FailedRequirement[] {
  return selector
    .filter((requirement) => !requirementHolds(requirement, labels))
    .map((requirement) => ({ requirement, value: labelValue(labels, requirement.key) }));
}

function explainSelector(
  selector: Selector | undefined,
  labels: Labels,
): SelectorExplanation | undefined {
  if (selector === undefined) return undefined;
  return { selector, failed: failedRequirements(selector, labels) };
}

function explainPool(rules: readonly RuleExplanation[]): PolicyExplanation["nodePool"] {
  const pool = rules.flatMap(({ node }) => node ?? []);
  if (pool.length === 0) return "open";
  return pool.some(({ failed }) => failed.length === 0) ? "matches" : "fails";
}

/** Without the pooling each matching rule would stand for itself; does that differ? */
function explainPooling(
  matching: readonly RuleExplanation[],
  nodePool: PolicyExplanation["nodePool"],
): PolicyExplanation["pooling"] {
  if (nodePool === "open" || matching.length === 0) return undefined;
  if (nodePool === "fails") {
    return matching.some(({ node }) => node === undefined) ? "refuses" : undefined;
  }
  return matching.some(({ node }) => node?.failed.length === 0) ? undefined : "selects";
}
