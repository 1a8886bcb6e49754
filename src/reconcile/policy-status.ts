// The status of a policy as its object carries it: what became of it, for kubectl and for programs.
// deploy/crds/ciliumegressgatewaypolicies.yaml says what each field means.

import { sameValue } from "../lib/equal.ts";
import { counted } from "../lib/text.ts";
import type { Issue } from "../model/issue.ts";
import { renderAddress } from "../net/address.ts";
import type { Condition as PlanCondition, PlanGateway, PlanPolicy } from "../plan/plan.ts";
import type { Lag } from "./node-verdicts.ts";

export interface StatusCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

export interface PolicyStatus {
  readonly observedGeneration: number;
  readonly distribution?: string;
  readonly endpoints?: number;
  readonly resolved?: string;
  readonly gateways?: readonly {
    readonly entry: number;
    readonly node: string;
    readonly gatewayIP: string;
    /** Absent: not known. */
    readonly egressIPs?: readonly string[];
    readonly endpoints: number;
  }[];
  readonly nodes?: {
    readonly summary: string;
    readonly needed: number;
    readonly programmed: number;
    readonly lagging: readonly string[];
  };
  readonly conditions: readonly StatusCondition[];
}

/** What is known of a policy. */
export interface PolicyFacts {
  /** Of the newest spec, whether it was accepted or not. */
  readonly generation: number;
  /** Of the newest spec. */
  readonly issues: readonly Issue[];
  /** What is in force; undefined: nothing ever was accepted. */
  readonly inForce: PlanPolicy | undefined;
  /** Entries that the policy in force lists. */
  readonly listed: number;
  /** Nodes that need rows of it. */
  readonly needed: number;
  readonly lags: readonly Lag[];
  /** This generation is so new that nodes may still be on their way. */
  readonly recent: boolean;
}

const LAGGING_MAX = 16;
/** Named in a message before the rest is counted. */
const NAMED_MAX = 3;

/** `now`: RFC 3339; conditions of `before` that did not change keep their time. */
export function policyStatus(
  facts: PolicyFacts,
  { before, now }: { readonly before: readonly StatusCondition[]; readonly now: string },
): PolicyStatus {
  const observedGeneration = facts.generation;
  const conditions = conditionsOf(facts).map((one): StatusCondition => {
    const old = before.find(({ type }) => type === one.type);
    const lastTransitionTime = old?.status === one.status ? old.lastTransitionTime : now;
    return { ...one, observedGeneration, lastTransitionTime };
  });
  const { inForce } = facts;
  if (inForce === undefined) return { observedGeneration, conditions };
  return {
    observedGeneration,
    distribution: inForce.distribution,
    endpoints: inForce.endpoints,
    resolved: `${inForce.gateways.length}/${facts.listed}`,
    gateways: inForce.gateways.map(gatewayStatus),
    nodes: nodesStatus(facts),
    conditions,
  };
}

/** True if writing the second in place of the first would say nothing new. */
export function sameStatus(a: unknown, b: PolicyStatus): boolean {
  return sameValue(a, JSON.parse(JSON.stringify(b)));
}

function gatewayStatus({ entry, node, gatewayIP, egressIPs, endpoints }: PlanGateway) {
  const known = egressIPs === null ? {} : { egressIPs: egressIPs.map(renderAddress) };
  return { entry, node, gatewayIP: renderAddress(gatewayIP), ...known, endpoints };
}

function nodesStatus({ needed, lags }: PolicyFacts) {
  const programmed = needed - lags.length;
  const lagging = lags.slice(0, LAGGING_MAX).map(({ node }) => node);
  return { summary: `${programmed}/${needed}`, needed, programmed, lagging };
}

type Judged = Omit<StatusCondition, "observedGeneration" | "lastTransitionTime">;

function conditionsOf(facts: PolicyFacts): Judged[] {
  const planned = facts.inForce?.conditions ?? [];
  const conditions = [accepted(facts), resolved(facts, planned), programmed(facts, planned)];
  const conflict = planned.find(({ type }) => type === "Conflicted");
  return conflict === undefined ? conditions : [...conditions, conflict];
}

function accepted({ issues, inForce }: PolicyFacts): Judged {
  const type = "Accepted";
  const errors = issues.filter(({ severity }) => severity === "error");
  if (errors.length > 0) {
    const still = inForce === undefined ? "" : "; the version accepted before stays in force";
    const message = `${sayIssues(errors)}${still}`;
    return { type, status: "False", reason: errors[0]?.code ?? "Invalid", message };
  }
  const warnings = issues.length === 0 ? "the spec is valid" : sayIssues(issues);
  return { type, status: "True", reason: "Valid", message: warnings };
}

function resolved({ inForce, listed }: PolicyFacts, planned: readonly PlanCondition[]): Judged {
  const type = "ResolvedRefs";
  const found = planned.find((one) => one.type === type);
  if (found !== undefined) return found;
  if (inForce === undefined) return { type, status: "Unknown", reason: "NotAccepted", message: "" };
  const message = `every gateway entry (${listed}) matches a node`;
  return { type, status: "True", reason: "Resolved", message };
}

function programmed(facts: PolicyFacts, planned: readonly PlanCondition[]): Judged {
  const type = "Programmed";
  const { inForce, needed, lags } = facts;
  const full = planned.find((one) => one.type === type);
  if (full !== undefined) return full;
  if (inForce === undefined) {
    const message = "no version of the policy was accepted yet";
    return { type, status: "False", reason: "NotAccepted", message };
  }
  if (lags.length > 0) {
    const said = lags.slice(0, NAMED_MAX).map(({ node, message }) => `${node}: ${message}`);
    const rest = lags.length > NAMED_MAX ? `; and ${counted(lags.length - NAMED_MAX, "node")}` : "";
    const reason = facts.recent ? "Pending" : "NodesLag";
    return { type, status: "False", reason, message: `${said.join("; ")}${rest}` };
  }
  if (needed === 0) {
    return { type, status: "True", reason: "NotNeeded", message: "no node needs it" };
  }
  const message = `every node that needs it (${needed}) holds it`;
  return { type, status: "True", reason: "Programmed", message };
}

function sayIssues(issues: readonly Issue[]): string {
  const said = issues.slice(0, NAMED_MAX).map(({ path, message }) => {
    return path === "" ? message : `${path}: ${message}`;
  });
  const rest = issues.length - NAMED_MAX;
  return rest > 0 ? `${said.join("; ")}; and ${rest} more` : said.join("; ");
}
