// What a whole cluster's objects say about Sluice: policies as the controller judged them, nodes as
// their agents last said. schemas/cluster-status.schema.json describes it field by field.

import { compareBytes } from "../lib/order.ts";
import { parseAcknowledgement } from "../model/parse/acknowledgement.ts";
import { Fields, isMapping } from "../model/parse/fields.ts";
import { API_VERSION } from "../plan/plan.ts";
import { AGENT_SILENT_MS } from "../reconcile/node-verdicts.ts";

export const CLUSTER_STATUS_KIND = "ClusterStatus";

export interface ClusterPolicy {
  readonly name: string;
  /** As conditions say it: True, False, Unknown; empty: nobody has judged this version yet. */
  readonly accepted: string;
  readonly programmed: string;
  /** False also where a gateway has no egress IP. */
  readonly resolvedRefs: string;
  readonly endpoints: number;
  /** Entries that resolve and entries that are listed, as in `2/3`; empty: not known. */
  readonly gateways: string;
  /** Nodes that do not hold its rows; a policy on many of them names the first. */
  readonly lagging: readonly string[];
  /** What is not as it should be. */
  readonly problems: readonly string[];
}

export interface ClusterNode {
  readonly name: string;
  /** False also where no agent has ever said anything. */
  readonly ready: boolean;
  /** It has said nothing for minutes, by the reader's clock. */
  readonly silent: boolean;
  /** Why it is not ready. */
  readonly message: string;
  /** Of Sluice; empty: unknown. */
  readonly version: string;
  /** When its agent last said so, by its own clock; empty: never. */
  readonly renewTime: string;
  /** Policies in force there, and the rows that its kernel holds. */
  readonly policies: number;
  readonly rows: number;
}

/** Whoever judges policies. */
export interface ClusterController {
  /** False: nobody does now, and what is said of policies may be out of date. */
  readonly active: boolean;
  /** When one said last that it does, by its own clock; empty: never. */
  readonly renewTime: string;
}

export interface ClusterStatusDocument {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: typeof CLUSTER_STATUS_KIND;
  /** All policies are accepted, resolved and programmed, all nodes ready, nobody is silent. */
  readonly ready: boolean;
  /** Null: not known, because its Lease may not be read. */
  readonly controller: ClusterController | null;
  /** `reader`: the definition of policies has no status, so whoever reads this judged itself. */
  readonly judgedBy: "controller" | "reader";
  /** Sorted by name. */
  readonly policies: readonly ClusterPolicy[];
  /** Sorted by name. */
  readonly nodes: readonly ClusterNode[];
}

/** Objects as the Kubernetes API gives them. */
export interface ClusterObjects {
  readonly policies: readonly unknown[];
  readonly nodeStates: readonly unknown[];
  readonly nodes: readonly unknown[];
  /** The controller's Lease; undefined: there is none; null: it may not be read. */
  readonly lease: unknown;
  readonly judgedBy: ClusterStatusDocument["judgedBy"];
}

/** Clocks of a cluster and of whoever looks at it may differ by so much. */
const CLOCKS_MS = 30_000;

/** The document that these objects make; what is missing or malformed in them is left out. */
export function clusterDocument(objects: ClusterObjects, nowMs: number): ClusterStatusDocument {
  const policies = objects.policies.map(policyOf).sort(byName);
  const states = new Map(objects.nodeStates.map((raw) => [nameOf(raw), raw]));
  const nodes = objects.nodes.map((raw) => nodeOf(nameOf(raw), states, nowMs)).sort(byName);
  const controller = objects.lease === null ? null : controllerOf(objects.lease, nowMs);
  const inOrder = policies.every(({ accepted, programmed, resolvedRefs }) => {
    return [accepted, programmed, resolvedRefs].every((status) => status === "True");
  });
  const kept = nodes.every((node) => node.ready && !node.silent);
  const ready = inOrder && kept && controller?.active !== false;
  return {
    apiVersion: API_VERSION,
    kind: CLUSTER_STATUS_KIND,
    ready,
    controller,
    judgedBy: objects.judgedBy,
    policies,
    nodes,
  };
}

function controllerOf(lease: unknown, nowMs: number): ClusterController {
  const spec = fieldsOf(lease).fields("spec");
  const renewTime = spec.string("renewTime");
  const lastsMs = (spec.integer("leaseDurationSeconds") ?? 0) * 1_000 + CLOCKS_MS;
  // A holder that ends in good order gives it up.
  const isHeld = spec.string("holderIdentity") !== "";
  return { active: isHeld && nowMs - Date.parse(renewTime) <= lastsMs, renewTime };
}

function policyOf(raw: unknown): ClusterPolicy {
  const status = fieldsOf(raw).fields("status");
  const generation = fieldsOf(raw).fields("metadata").integer("generation") ?? 0;
  const observed = status.integer("observedGeneration");
  const conditions = status.each("conditions").map((one) => ({
    type: one.string("type"),
    status: one.string("status"),
    message: one.string("message"),
  }));
  // What was said of a former version says nothing of this one.
  const isOld = observed !== undefined && observed < generation;
  const said = (type: string) => {
    return (isOld ? undefined : conditions.find((one) => one.type === type)?.status) ?? "";
  };
  const old = `generation ${generation} is not judged yet, only ${observed}`;
  // A conflict is the one condition that is better False.
  const wrong = conditions.filter((one) => {
    return one.status === "Unknown" || (one.status === "True") === (one.type === "Conflicted");
  });
  return {
    name: nameOf(raw),
    accepted: said("Accepted"),
    programmed: said("Programmed"),
    resolvedRefs: said("ResolvedRefs"),
    endpoints: status.integer("endpoints") ?? 0,
    gateways: status.string("resolved"),
    lagging: status.fields("nodes").strings("lagging").map(({ text }) => text),
    problems: [
      ...(isOld ? [old] : []),
      ...wrong.map(({ type, message }) => `${type}: ${message}`),
    ],
  };
}

function nodeOf(
  name: string,
  states: ReadonlyMap<string, unknown>,
  nowMs: number,
): ClusterNode {
  const state = states.get(name);
  const said = parseAcknowledgement(state);
  if (said === undefined) {
    const message = "its agent has published nothing: does it run?";
    const nothing = { version: "", renewTime: "", policies: 0, rows: 0 };
    return { name, ready: false, silent: true, message, ...nothing };
  }
  const version = fieldsOf(state).fields("status").fields("versions").string("sluice");
  const rows = [...said.policies.values()].reduce((sum, policy) => sum + policy.rows, 0);
  const { ready, message, renewTime } = said;
  const silent = !(nowMs - Date.parse(renewTime) <= AGENT_SILENT_MS);
  return { name, ready, silent, message, version, renewTime, policies: said.policies.size, rows };
}

function nameOf(raw: unknown): string {
  return fieldsOf(raw).fields("metadata").string("name");
}

function fieldsOf(raw: unknown): Fields {
  return Fields.of(isMapping(raw) ? raw : {});
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareBytes(a.name, b.name);
}
