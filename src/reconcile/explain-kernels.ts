// Whether the kernels on an endpoint's way have taken over what explains it: acknowledgements of
// its node and its gateways, held against the plan as the controller does (node-verdicts.ts).

import { compareBytes } from "../lib/order.ts";
import type { Acknowledgement, PolicyAcknowledgement } from "../model/acknowledgement.ts";
import type { RowSum } from "../model/row-sum.ts";
import type { Explanation, KernelExplanation, KernelPolicy } from "../plan/explanation.ts";
import { AGENT_SILENT_MS, findLag } from "./node-verdicts.ts";
import { NO_ROWS } from "./published-state.ts";

export interface KernelFacts {
  /** By node. */
  readonly acknowledgements: ReadonlyMap<string, Acknowledgement>;
  /** Generation of each policy that the plan has. */
  readonly generations: ReadonlyMap<string, number>;
  /** Policy -> node -> what that node should hold of it; nodes that need no row are left out. */
  readonly expected: ReadonlyMap<string, ReadonlyMap<string, RowSum>>;
  /** Of the reader's clock. */
  readonly nowMs: number;
}

/**
 * The endpoint's node first, then every gateway that its destinations are tunnelled to. Of a
 * gateway the policies count that win there; of the node those that select the endpoint, and every
 * one that the kernel has in another generation than the plan: it may have selected the endpoint.
 */
export function explainKernels(
  { endpoint, policies, destinations }: Explanation,
  facts: KernelFacts,
): KernelExplanation[] {
  const { node } = endpoint.endpoint;
  const selecting = policies.filter((one) => one.assignment !== undefined).map(({ name }) => name);
  const former = [...(facts.acknowledgements.get(node)?.policies.values() ?? [])]
    .filter((held) => held.rows > 0 && facts.generations.get(held.name) !== held.generation)
    .map(({ name }) => name);
  const gateways = new Map<string, Set<string>>();
  for (const { outcome, claims } of destinations) {
    const goesOn = (outcome.kind === "leaves" || outcome.kind === "drop") && outcome.tunnelled;
    const policy = claims[0]?.policy;
    if (!goesOn || policy === undefined) continue;
    gateways.set(outcome.node, (gateways.get(outcome.node) ?? new Set()).add(policy));
  }
  const others = [...gateways].sort((a, b) => compareBytes(a[0], b[0]));
  return [
    kernelOf(node, new Set([...selecting, ...former]), facts),
    ...others.map(([gateway, names]) => kernelOf(gateway, names, facts)),
  ];
}

function kernelOf(
  node: string,
  names: ReadonlySet<string>,
  facts: KernelFacts,
): KernelExplanation {
  const acknowledgement = facts.acknowledgements.get(node);
  const saidMs = Date.parse(acknowledgement?.renewTime ?? "");
  const ageMs = Number.isNaN(saidMs) ? undefined : Math.max(0, facts.nowMs - saidMs);
  return {
    node,
    renewTime: acknowledgement?.renewTime ?? "",
    ageSeconds: ageMs === undefined ? undefined : Math.round(ageMs / 1_000),
    silent: ageMs === undefined || ageMs > AGENT_SILENT_MS,
    policies: [...names].sort(compareBytes).map((name) => policyAt(node, name, facts)),
  };
}

function policyAt(node: string, name: string, facts: KernelFacts): KernelPolicy {
  const acknowledgement = facts.acknowledgements.get(node);
  const held = acknowledgement?.policies.get(name);
  const generation = facts.generations.get(name);
  const sums = { name, held: held && { generation: held.generation, rows: held.rows } };
  if (generation === undefined) return { ...sums, wanted: undefined, lag: formerLag(held) };
  const wanted = facts.expected.get(name)?.get(node) ?? NO_ROWS;
  // Silence is told beside it: what was said last counts for longer than whoever said it.
  const agent = acknowledgement && { acknowledgement, silent: false };
  const lag = findLag(node, agent, { name, generation, wanted })?.message;
  return { ...sums, wanted: { generation, rows: wanted.rows }, lag };
}

function formerLag(held: PolicyAcknowledgement | undefined): string | undefined {
  if (held === undefined) return undefined;
  return `it still has generation ${held.generation}; by now the policy is deleted or refused`;
}
