// What a controller knows, as metrics: the same that it writes as status, for clusters whose
// definition of policies has none.

import type { PolicyStatus } from "../reconcile/policy-status.ts";
import type { Sample } from "./metric-text.ts";
import { counter, gauge, renderMetric } from "./metric-text.ts";

export interface ControllerNumbers {
  /** This one holds the Lease. */
  readonly active: boolean;
  readonly statusWrites: number;
  readonly eventWrites: number;
  readonly policies: readonly { readonly name: string; readonly status: PolicyStatus }[];
}

export function renderControllerMetrics(numbers: ControllerNumbers): string {
  const { active, statusWrites, eventWrites, policies } = numbers;
  const ofNodes = (read: (nodes: NonNullable<PolicyStatus["nodes"]>) => number): Sample[] =>
    policies.flatMap(({ name, status: { nodes } }) => {
      return nodes === undefined ? [] : [{ labels: { policy: name }, value: read(nodes) }];
    });
  return [
    gauge("controller_active", "1: this controller holds the Lease.", [{ value: Number(active) }]),
    counter("controller_status_writes_total", "Statuses written.", [{ value: statusWrites }]),
    counter("controller_event_writes_total", "Events written.", [{ value: eventWrites }]),
    gauge(
      "policy_condition",
      "1: the condition of the policy is True, 0: it is not.",
      policies.flatMap(({ name, status }) =>
        status.conditions.map(({ type, status: is, reason }) => {
          return { labels: { policy: name, type, reason }, value: Number(is === "True") };
        }),
      ),
    ),
    gauge(
      "policy_nodes_needed",
      "Nodes that need rows of the policy.",
      ofNodes(({ needed }) => needed),
    ),
    gauge(
      "policy_nodes_lagging",
      "Nodes that need rows of the policy and do not hold the current ones.",
      ofNodes(({ needed, programmed }) => needed - programmed),
    ),
  ]
    .map(renderMetric)
    .join("");
}
