// The status of an agent as a document: what it knows, what it did, what the kernel counted.

import type { Address } from "../../net/address.ts";
import { renderAddress } from "../../net/address.ts";
import { unclassifiedOf } from "../../reconcile/unclassified.ts";
import type { StatusDocument, UnclassifiedStatus } from "../../status/document.ts";
import { statusDocument, statusError } from "../../status/document.ts";
import type { Agent } from "./agent.ts";
import type { StepRecord } from "./journal.ts";
import type { AgentView } from "./options.ts";

export interface StatusNaming {
  readonly node: string;
  readonly version: string;
}

/** Reads the kernel's counters; everything else is in memory. */
export async function statusOf(
  agent: Agent,
  { node, version }: StatusNaming,
): Promise<StatusDocument> {
  const packets = await agent.counters();
  const view = agent.view();
  const { desired, journal } = view;
  const plan = view.plan?.();
  const endpoints = new Set<string>();
  for (const { endpoint } of plan?.assignments ?? []) endpoints.add(endpoint.key);
  return statusDocument({
    node,
    version,
    ready: journal.ready,
    waitingFor: journal.ready ? "" : waitingFor(view),
    synced: { objects: view.objectsSynced, kernel: view.kernel !== undefined },
    counts: {
      policies: plan?.policies.length ?? 0,
      endpoints: endpoints.size,
      rows: view.rows,
      lameDucks: view.lameDucks,
    },
    applied: journal.tookSeconds(),
    rowChanges: view.rowChanges,
    turns: { total: journal.turns, lastSeconds: journal.turnMs / 1000 },
    policies: (plan?.policies ?? []).map((policy) => {
      const { name, distribution, conditions } = policy;
      const gateways = policy.gateways.length;
      return { name, distribution, endpoints: policy.endpoints, gateways, conditions };
    }),
    gateways: (desired?.gateways ?? []).map(({ index, address }) => {
      return { index, address: renderAddress(address), node: nodeAt(view, address) };
    }),
    egressIPs: (desired?.egressIPs ?? []).map(({ index, address, device }) => {
      return { index, address: renderAddress(address), interface: device ?? null };
    }),
    unclassified: unclassified(view),
    sinks: [...journal.steps].map(([name, record]) => sinkStatus(name, record)),
    packets,
    issues: plan?.issues ?? view.objectIssues,
  });
}

function unclassified({ desired, kernel }: AgentView): UnclassifiedStatus[] {
  const links = new Map(kernel?.links.map(({ ifindex, name }) => [ifindex, name]));
  return (desired === undefined ? [] : unclassifiedOf(desired)).map(({ address, ifindex }) => ({
    address: address === undefined ? null : renderAddress(address),
    interface: links.get(ifindex) ?? null,
  }));
}

function sinkStatus(name: string, { errors, lastError }: StepRecord) {
  return { name, errors, lastError: lastError === undefined ? null : statusError(lastError) };
}

/** Why a node is not ready. */
export function waitingFor({ objectsSynced, objectIssues, kernel, journal }: AgentView): string {
  const { failure } = journal;
  if (!objectsSynced) {
    const reasons = objectIssues.map(({ object, message }) => `${object}: ${message}`);
    return ["the first complete list of objects", ...reasons].join("; ");
  }
  if (kernel === undefined) return "the first list of this node's links and routes";
  if (failure !== undefined) return `${failure.step}: ${failure.error.message}`;
  return "the first write to the kernel";
}

function nodeAt({ nodes }: AgentView, address: Address): string {
  return nodes.find(({ internalIPv4 }) => internalIPv4 === address)?.name ?? "";
}
