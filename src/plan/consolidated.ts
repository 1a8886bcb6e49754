// The plan before a consolidation, told as if the merged policies had been there: so that a diff
// says which endpoints move, and not that one policy ends and another begins.

import type { EndpointKey } from "../model/endpoint.ts";
import type { Consolidation } from "./consolidate.ts";
import type { Assignment, Plan, PlanPolicy } from "./plan.ts";

/** An endpoint that several members select counts for the oldest one, whose rows win (rule 7.3). */
export function underMergedNames(plan: Plan, consolidations: readonly Consolidation[]): Plan {
  const merged = new Map<string, Consolidation>();
  for (const one of consolidations) for (const { name } of one.members) merged.set(name, one);
  const assignments = relabelled(plan, merged);
  const kept = plan.policies.filter(({ name }) => !merged.has(name));
  const joined = consolidations.map((one) => joinPolicies(plan, one, assignments));
  return {
    ...plan,
    policies: [...kept, ...joined],
    assignments: { size: assignments.length, [Symbol.iterator]: () => assignments.values() },
  };
}

function relabelled(plan: Plan, merged: ReadonlyMap<string, Consolidation>): Assignment[] {
  const found: Assignment[] = [];
  const chosen = new Map<string, Map<EndpointKey, { age: number; assignment: Assignment }>>();
  for (const assignment of plan.assignments) {
    const one = merged.get(assignment.policy);
    if (one === undefined) {
      found.push(assignment);
      continue;
    }
    const { name } = one.merged;
    const endpoints = chosen.get(name) ?? new Map();
    chosen.set(name, endpoints);
    const { key } = assignment.endpoint;
    const age = one.members.findIndex((member) => member.name === assignment.policy);
    const known = endpoints.get(key);
    if (known !== undefined && known.age < age) continue;
    endpoints.set(key, { age, assignment: { ...assignment, policy: name } });
  }
  for (const endpoints of chosen.values()) {
    for (const { assignment } of endpoints.values()) found.push(assignment);
  }
  return found;
}

function joinPolicies(
  { policies }: Plan,
  { members, merged }: Consolidation,
  assignments: readonly Assignment[],
): PlanPolicy {
  const names = new Set(members.map(({ name }) => name));
  const parts = policies.filter(({ name }) => names.has(name));
  const [first] = parts as [PlanPolicy, ...PlanPolicy[]];
  return {
    ...first,
    name: merged.name,
    endpoints: assignments.filter(({ policy }) => policy === merged.name).length,
    conditions: parts.flatMap(({ conditions }) => conditions),
    gateways: parts.flatMap(({ gateways }) => gateways),
  };
}
