// Selectors of an explanation in words: which part of a rule matches, which requirement fails and
// what the label is instead, and what the pooled nodeSelectors decide (rules 3.3, 3.4).

import { NAMESPACE_LABEL_PREFIX, NAMESPACE_NAME_LABEL } from "../model/namespace-labels.ts";
import type { Requirement, Selector } from "../model/selector.ts";
import { renderRequirement, renderSelector } from "../model/selector.ts";
import type { Fact } from "./explanation-reasons.ts";
import type {
  FailedRequirement,
  PolicyExplanation,
  RuleExplanation,
  SelectorExplanation,
} from "./explanation.ts";
import { ruleMatches } from "./explanation.ts";

/** Every rule of a policy that selects the endpoint. */
export function selectionFacts(policy: PolicyExplanation, node: string): Fact[] {
  const facts = policy.rules.map((rule): Fact => ({
    label: shortPath(rule.path),
    text: renderRule(rule),
    tone: ruleMatches(rule) ? "good" : "faint",
  }));
  return [...facts, ...poolFacts(policy, node)];
}

/** The same for a policy that does not; its name is the label of the first fact. */
export function refusalFacts(policy: PolicyExplanation, node: string): Fact[] {
  const many = policy.rules.length > 1;
  const facts = [
    ...policy.rules.map((rule) => ({
      label: "",
      text: many ? `${shortPath(rule.path)}: ${renderRule(rule)}` : renderRule(rule),
    })),
    // Where no rule matches, the pool decides nothing.
    ...(policy.rules.some(ruleMatches) ? poolFacts(policy, node) : []),
  ];
  return facts.map((fact, i): Fact => ({ ...fact, label: i === 0 ? policy.name : "" }));
}

/** `app=web fails: app is db`. */
export function renderFailure({ requirement, value }: FailedRequirement): string {
  const plain = plainRequirement(requirement);
  const found = value === undefined ? `no label ${plain.key}` : `${plain.key} is ${value}`;
  const misplaced = requirement.key === NAMESPACE_LABEL_PREFIX + NAMESPACE_NAME_LABEL;
  return `${renderRequirement(plain)} fails: ${found}${misplaced ? POD_LABEL_HINT : ""}`;
}

const POD_LABEL_HINT = "; it is a label of pods: write it in podSelector";

/** The selector as its author wrote it. */
export function renderPlainSelector(selector: Selector): string {
  return renderSelector(selector.map(plainRequirement));
}

/** Rule 3.2 prefixes what a namespaceSelector asks for; people know the label without it. */
function plainRequirement(requirement: Requirement): Requirement {
  return { ...requirement, key: requirement.key.replace(NAMESPACE_LABEL_PREFIX, "") };
}

function shortPath(path: string): string {
  return path.replace(/^spec\./, "");
}

function renderRule({ pod, namespace, node }: RuleExplanation): string {
  return [
    renderPart("podSelector", pod),
    renderPart("namespaceSelector", namespace),
    renderPart("nodeSelector", node),
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function renderPart(field: string, part: SelectorExplanation | undefined): string {
  if (part === undefined) return "";
  const { selector, failed } = part;
  if (failed.length > 0) return `${field} ${failed.map(renderFailure).join(", ")}`;
  return `${field} ${renderPlainSelector(selector)} matches`;
}

/** What the nodeSelectors of all rules together say about the endpoint's node. */
function poolFacts({ rules, nodePool, pooling }: PolicyExplanation, node: string): Fact[] {
  if (nodePool === "open") return [];
  const name = node === "" ? "its node, which is not known" : `node ${node}`;
  const matching = rules.filter((rule) => rule.node?.failed.length === 0).map(renderPoolMember);
  switch (pooling) {
    case "selects":
      return [
        {
          label: "nodes",
          text: `the pooling decides [3.4]: the nodeSelectors of all rules count together, and \
${matching.join(", ")} matches ${name}, although it belongs to another rule than the pod's`,
          tone: "warning",
        },
      ];
    case "refuses": {
      const bare = rules.filter((rule) => ruleMatches(rule) && rule.node === undefined);
      return [
        {
          label: "nodes",
          text: `the pooling decides [3.4]: ${bare.map(({ path }) => shortPath(path)).join(", ")} \
matches and has no nodeSelector, but other rules have one: all of them count together, and none \
matches ${name}`,
          tone: "warning",
        },
      ];
    }
    case undefined:
      if (nodePool === "fails") {
        return [{ label: "nodes", text: `no nodeSelector matches ${name} [3.4]`, tone: "error" }];
      }
      return [{ label: "nodes", text: `${matching.join(", ")} matches ${name} [3.4]` }];
  }
}

function renderPoolMember({ path, node }: RuleExplanation): string {
  return `${renderPlainSelector(node?.selector ?? [])} of ${shortPath(path)}`;
}
