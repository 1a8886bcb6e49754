// What stories print, one line per fact.

import type { ClusterPrefixes } from "../../src/model/cluster-prefixes.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Issue } from "../../src/model/issue.ts";
import type { Address } from "../../src/net/address.ts";
import { renderAddress } from "../../src/net/address.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import { renderPrefix } from "../../src/net/prefix.ts";
import type { Assignment, Condition } from "../../src/plan/plan.ts";
import type { Row, RowChange, RowKey, RowValue } from "../../src/plan/row.ts";
import { compareRows } from "../../src/plan/row.ts";
import type { Rows } from "./world.ts";
import { rowKey } from "./world.ts";

/** `+ 10.0.1.5 0.0.0.0/0 -> gateway 192.168.1.1 egress 192.0.2.10 ifindex 5`, `~`, `-`; sorted. */
export function renderRowChanges(changes: readonly RowChange[], before: Rows): string[] {
  return [...changes]
    .sort((a, b) => compareRows(a.key, b.key))
    .map(({ key, value }) => {
      if (value === undefined) return `- ${renderKey(key)}`;
      return `${before.has(rowKey(key)) ? "~" : "+"} ${renderKey(key)} -> ${renderValue(value)}`;
    });
}

export function renderRow(row: Row): string {
  return `${renderKey(row)} -> ${renderValue(row)} policy ${row.policy}`;
}

function renderKey({ source, destination }: RowKey): string {
  return `${renderAddress(source)} ${renderPrefix(destination)}`;
}

function renderValue({ gatewayIP, egressIP, ifindex }: RowValue): string {
  const device = ifindex === 0 ? "" : ` ifindex ${ifindex ?? "unknown"}`;
  const egress = egressIP === null ? "unknown" : renderAddress(egressIP);
  return `gateway ${renderAddress(gatewayIP)} egress ${egress}${device}`;
}

/** `p default/web-0 10.0.1.5 -> entry 0 gw-1 192.168.1.1 egress 192.0.2.10`; `-> drop`. */
export function renderAssignment(assignment: Assignment): string {
  const { policy, endpoint, addresses, gateway } = assignment;
  const held = addresses.map(renderAddress).join(",") || "-";
  const who = `${policy} ${endpoint.namespace}/${endpoint.name} ${held}`;
  if (gateway === undefined) return `${who} -> drop`;
  const { entry, node, gatewayIP, egressIPs } = gateway;
  const egress = renderEgress(egressIPs);
  return `${who} -> entry ${entry} ${node} ${renderAddress(gatewayIP)} egress ${egress}`;
}

function renderEgress(egressIPs: readonly Address[] | null): string {
  if (egressIPs === null) return "unknown";
  return egressIPs.map(renderAddress).join(",") || "none";
}

/** What is inside the cluster, then where pods are, in general and by node. */
export function renderInside(inside: ClusterPrefixes, { nodes }: ModelView): string[] {
  const text = (prefixes: readonly Prefix[]) => prefixes.map(renderPrefix).join(" ") || "nothing";
  return [
    `inside ${text(inside.all)}`,
    `pods ${text(inside.pods)}`,
    ...[...nodes.keys()].sort().flatMap((name) => {
      const own = inside.podsOf(name);
      return own.length === 0 ? [] : [`pods of ${name} ${text(own)}`];
    }),
    ...(inside.known ? [] : ["not ready"]),
  ];
}

export function renderIssue({ severity, code, object, path }: Issue): string {
  return `${severity} ${code} ${object} ${path}`.trimEnd();
}

export function renderCondition(policy: string, { type, status, reason }: Condition): string {
  return `${policy} ${type}=${status} ${reason}`;
}
