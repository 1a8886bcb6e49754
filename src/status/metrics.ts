// The status of a node as metrics, in base units.

import type { StatusDocument } from "./document.ts";
import type { Metric } from "./metric-text.ts";
import { counter, gauge, histogram, renderMetric } from "./metric-text.ts";

/** All metrics, each with its help and type. */
export function renderMetrics(document: StatusDocument): string {
  const metrics = [...ofNode(document), ...ofPolicies(document), ...ofCounters(document)];
  return metrics.map(renderMetric).join("");
}

function ofNode(document: StatusDocument): Metric[] {
  const { node, version, ready, synced, counts, gateways, egressIPs, sinks } = document;
  const { turns, applied, rowChanges } = document;
  return [
    gauge("info", "Node and version of its agent.", [{ labels: { node, version }, value: 1 }]),
    gauge("ready", "1: the kernel has what should be.", [{ value: Number(ready) }]),
    gauge(
      "source_synced",
      "1: the source has given its first complete list.",
      Object.entries(synced).map(([source, is]) => ({ labels: { source }, value: Number(is) })),
    ),
    gauge("policies", "Policies in force.", [{ value: counts.policies }]),
    gauge("endpoints", "Endpoints that policies select.", [{ value: counts.endpoints }]),
    gauge("rows", "Policy rows of this node.", [{ value: counts.rows }]),
    gauge("lame_duck_rows", "Rows that stay only for a while.", [{ value: counts.lameDucks }]),
    gauge("gateways", "Gateways that rows here name.", [{ value: gateways.length }]),
    gauge(
      "egress_ip_present",
      "1: an interface of this node has the egress IP.",
      egressIPs.map(({ address, interface: device }) => {
        return { labels: { egress_ip: address }, value: Number(device !== null) };
      }),
    ),
    counter("rows_written_total", "Rows written to the kernel.", [{ value: rowChanges.written }]),
    counter("rows_deleted_total", "Rows removed from it.", [{ value: rowChanges.deleted }]),
    counter(
      "rows_repaired_total",
      "Rows written again because somebody else had removed or changed them.",
      [{ value: rowChanges.repaired }],
    ),
    counter("turns_total", "Turns of the agent.", [{ value: turns.total }]),
    gauge("turn_duration_seconds", "How long the last turn took.", [{ value: turns.lastSeconds }]),
    histogram(
      "apply_duration_seconds",
      "From a change of an object to the kernel that has it.",
      applied,
    ),
    counter(
      "sink_errors_total",
      "Failures to write.",
      sinks.map(({ name, errors }) => ({ labels: { sink: name }, value: errors })),
    ),
    gauge(
      "sink_failing",
      "1: the last attempt to write failed.",
      sinks.map(({ name, lastError }) => {
        return { labels: { sink: name }, value: Number(lastError !== null) };
      }),
    ),
  ];
}

function ofPolicies({ policies, issues }: StatusDocument): Metric[] {
  const severities = ["error", "warning"] as const;
  return [
    gauge(
      "policy_endpoints",
      "Endpoints that a policy selects.",
      policies.map(({ name, endpoints }) => ({ labels: { policy: name }, value: endpoints })),
    ),
    gauge(
      "policy_gateways",
      "Gateway entries of a policy that resolve to a node.",
      policies.map(({ name, gateways }) => ({ labels: { policy: name }, value: gateways })),
    ),
    gauge(
      "policy_conditions",
      "Conditions of a policy that are worth a look.",
      policies.map(({ name, conditions }) => {
        return { labels: { policy: name }, value: conditions.length };
      }),
    ),
    gauge(
      "issues",
      "What is wrong or surprising in the input.",
      severities.map((severity) => {
        const { length } = issues.filter((one) => one.severity === severity);
        return { labels: { severity }, value: length };
      }),
    ),
  ];
}

function ofCounters({ counters }: StatusDocument): Metric[] {
  return [
    counter(
      "reason_packets_total",
      "Packets by what the datapath did with them, and why.",
      counters.map(({ reason, drop, packets }) => {
        return { labels: { reason, drop: String(drop) }, value: packets };
      }),
    ),
  ];
}
