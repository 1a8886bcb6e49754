// What a person should know of a plan beyond its rows: conditions of policies, and the issues that
// only the engine can see. Messages never say a place in a list (rule 5.8).

import type { Issue, IssueCode } from "../model/issue.ts";
import { issue } from "../model/issue.ts";
import { DISTRIBUTION_ANNOTATION, gatewayPath } from "../model/policy.ts";
import { renderSelector } from "../model/selector.ts";
import { compareBytes } from "../lib/order.ts";
import { counted } from "../lib/text.ts";
import type { Family } from "../net/address.ts";
import { FAMILIES, familyOf, renderAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { comparePrefixes, renderPrefix } from "../net/prefix.ts";
import type { Condition } from "../plan/plan.ts";
import type { Engine } from "./engine.ts";
import type { PolicyState } from "./policy-state.ts";
import type { PolicySet } from "./precedence.ts";

/** How many prefixes a message names before it only counts. */
const NAMED_MAX = 3;

export interface Finding {
  readonly conditions: readonly Condition[];
  readonly issues: readonly Issue[];
}

/** Entries that resolve to nothing, and gateways without egress IP. `anyNode`: a node is known. */
export function gatewayFindings(
  state: PolicyState,
  engine: Engine,
  { anyNode }: { readonly anyNode: boolean },
): Finding {
  const { policy } = state;
  const object = objectOf(state);
  const issues: Issue[] = [];
  const resolved = new Set(state.gateways.map(({ gateway }) => gateway.entry.entry));
  const unresolved = new Set<string>();
  for (const { entry, nodeSelector } of policy.gateways) {
    if (resolved.has(entry)) continue;
    const selector = renderSelector(nodeSelector);
    unresolved.add(selector);
    const path = `${gatewayPath(policy, entry)}.nodeSelector`;
    const node = "no node with an internal IPv4 address";
    // Where every node would match, there is none to label.
    const none = !anyNode || nodeSelector.length === 0;
    const message = none ? `${node} is known` : `${node} matches ${selector}; label one`;
    issues.push(issue("GatewayUnresolved", { object, path }, message));
  }
  const failing = new Set<string>();
  for (const { gateway } of state.gateways) {
    const problem = engine.gateways.egressOf(gateway, state)?.problem;
    if (problem === undefined) continue;
    const path = gatewayPath(policy, gateway.entry.entry);
    const message = `gateway ${gateway.node} drops this traffic: ${problem}`;
    issues.push(issue("NoEgressIP", { object, path }, message));
    failing.add(message);
  }
  if (state.gateways.length === 0) {
    const remedy = anyNode ? "label a node" : "no node is known";
    const message = `no gateway resolves, so the policy's traffic is dropped; ${remedy}`;
    issues.push(issue("NoGateway", { object, path: "spec" }, message));
    return { conditions: [unresolvedCondition("NoGateway", message)], issues };
  }
  // What drops comes before what is only left out.
  const [drops, absent] = [failing, unresolved].map((texts) => {
    return [...texts].sort(compareBytes).join("; ");
  });
  const missing = absent && `no node matches ${absent}`;
  const message = [drops, missing].filter((part) => part !== "").join("; ");
  if (message === "") return { conditions: [], issues };
  const reason = drops === "" ? "GatewayUnresolved" : "NoEgressIP";
  return { conditions: [unresolvedCondition(reason, message)], issues };
}

function unresolvedCondition(reason: IssueCode, message: string): Condition {
  return { type: "ResolvedRefs", status: "False", reason, message };
}

/** Identical rows of two policies, by loser (rule 7.3). One pass over the endpoints. */
export function conflictFindings(engine: Engine): Map<PolicyState, Finding> {
  const lost = new Map<PolicyState, Map<PolicyState, Set<Prefix>>>();
  for (const [set, families] of setsInUse(engine)) {
    for (const family of families) {
      for (const { prefix, winner, loser } of set.lost(family)) {
        const winners = lost.get(loser) ?? new Map<PolicyState, Set<Prefix>>();
        lost.set(loser, winners.set(winner, (winners.get(winner) ?? new Set()).add(prefix)));
      }
    }
  }
  return new Map([...lost].map(([loser, winners]) => [loser, conflictFinding(loser, winners)]));
}

function conflictFinding(
  loser: PolicyState,
  winners: ReadonlyMap<PolicyState, ReadonlySet<Prefix>>,
): Finding {
  const sorted = [...winners].sort((a, b) => compareBytes(a[0].policy.name, b[0].policy.name));
  const parts = sorted.map(([winner, prefixes]) => {
    const names = [...prefixes].sort(comparePrefixes).map(renderPrefix);
    const named = names.slice(0, NAMED_MAX).join(", ");
    const rest = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
    return `the older policy ${winner.policy.name} wins ${named}${rest}`;
  });
  const message = `${parts.join("; ")} where both select an endpoint`;
  const at = { object: objectOf(loser), path: "spec" };
  return {
    conditions: [{ type: "Conflicted", status: "True", reason: "IdenticalRow", message }],
    issues: [issue("PolicyConflict", at, message)],
  };
}

function setsInUse(engine: Engine): Map<PolicySet, Set<Family>> {
  const sets = new Map<PolicySet, Set<Family>>();
  for (const slot of engine.table.slots()) {
    const set = engine.table.policiesOf(slot);
    if (set.policies.length < 2) continue;
    let families = sets.get(set);
    if (families === undefined) sets.set(set, (families = new Set()));
    if (families.size === FAMILIES.length) continue;
    for (const address of engine.table.held(slot)) families.add(familyOf(address));
  }
  return sets;
}

/** Rule 3.1: cilium-hash computed from Pods differs from what Cilium computes. */
export function hashFinding(state: PolicyState, engine: Engine): Issue | undefined {
  if (engine.distributionOf(state.policy) !== "cilium-hash") return undefined;
  let guessed = 0;
  for (let place = 0; place < state.members.length; place++) {
    if (engine.table.at(state.members.at(place)).ciliumUid === "") guessed++;
  }
  if (guessed === 0) return undefined;
  const path = `metadata.annotations[${JSON.stringify(DISTRIBUTION_ANNOTATION)}]`;
  const message =
    `the CiliumEndpoints of ${guessed} of ${state.members.length} endpoints are not known, so ` +
    "Cilium may choose other gateways for them; add the CiliumEndpoints to the input";
  return issue("CiliumHashUnpredictable", { object: objectOf(state), path }, message);
}

/** A policy that selects none of the endpoints that there are. */
export function idleFinding(state: PolicyState, engine: Engine): Issue | undefined {
  const { size } = engine.table;
  if (size === 0 || state.members.length > 0) return undefined;
  const object = objectOf(state);
  const message =
    `none of ${counted(size, "endpoint")} matches; \`sluice explain\` with one that should says ` +
    "which label fails";
  return issue("NoEndpoints", { object, path: "spec.selectors" }, message);
}

/** Rule 3.7: an address that two endpoints claim belongs to the newer one. */
export function addressFindings(engine: Engine): Issue[] {
  const issues: Issue[] = [];
  for (const [address, claimants] of engine.table.contested()) {
    const holder = engine.table.holder(address);
    for (const slot of claimants) {
      if (slot === holder || holder === undefined) continue;
      const loser = engine.table.at(slot);
      const winner = engine.table.at(holder);
      const [kind, path] =
        loser.ciliumUid === ""
          ? ["Pod", "status.podIPs"]
          : ["CiliumEndpoint", "status.networking.addressing"];
      const message =
        `${renderAddress(address)} belongs to the newer endpoint ${winner.namespace}/` +
        `${winner.name} (${winner.key}); this one (${loser.key}) gets no rows for it`;
      const object = `${kind}/${loser.namespace}/${loser.name}`;
      issues.push(issue("AddressConflict", { object, path }, message));
    }
  }
  return issues;
}

export function objectOf(state: PolicyState): string {
  return `CiliumEgressGatewayPolicy/${state.policy.name}`;
}
