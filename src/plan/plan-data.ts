// The JSON interface of `sluice plan`: a plan as a document (schemas/plan.schema.json). Rows and
// assignments come by the hundred thousand, so their lines are put together from remembered pieces.

import type { Data, DataObject } from "../lib/data.ts";
import { inlineJson } from "../lib/data.ts";
import type { Emit } from "../lib/screen.ts";
import type { Address } from "../net/address.ts";
import { renderAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { renderPrefix } from "../net/prefix.ts";
import type { Issue } from "../model/issue.ts";
import type { DocumentFormat, ElementForms, Field } from "./document.ts";
import { longList, shortList, writeDocument } from "./document.ts";
import { portsPerEndpoint } from "./capacity.ts";
import type { Assignment, Capacity, Condition, Plan, PlanGateway, PlanPolicy } from "./plan.ts";
import type { Row } from "./row.ts";

/** Writes the plan; the same plan gives the same bytes. */
export function writePlan(plan: Plan, format: DocumentFormat, emit: Emit): void {
  const fields: Field[] = [
    { key: "policies", list: shortList(plan.policies, policyData) },
    { key: "assignments", list: longList(plan.assignments, assignmentForms()) },
    { key: "issues", list: shortList(plan.issues, issueData) },
    { key: "capacity", value: capacityData(plan.capacity) },
  ];
  if (plan.node !== undefined) fields.unshift({ key: "node", value: plan.node });
  if (plan.rows !== undefined) {
    fields.splice(-2, 0, { key: "rows", list: longList(plan.rows, rowForms()) });
  }
  writeDocument("Plan", fields, format, emit);
}

/** Writes only the issues: the document of `sluice validate`. */
export function writeIssues(issues: readonly Issue[], format: DocumentFormat, emit: Emit): void {
  const fields = [{ key: "issues", list: shortList(issues, issueData) }];
  writeDocument("Validation", fields, format, emit);
}

function policyData(policy: PlanPolicy): Data {
  return {
    name: policy.name,
    distribution: policy.distribution,
    endpoints: policy.endpoints,
    conditions: policy.conditions.map(conditionData),
    gateways: policy.gateways.map(policyGatewayData),
  };
}

export function conditionData({ type, status, reason, message }: Condition): DataObject {
  return { type, status, reason, message };
}

function policyGatewayData(gateway: PlanGateway): Data {
  return {
    entry: gateway.entry,
    node: gateway.node,
    gatewayIP: renderAddress(gateway.gatewayIP),
    interface: gateway.interface,
    egressIPs: gateway.egressIPs?.map(renderAddress) ?? null,
    endpoints: gateway.endpoints,
  };
}

/** A gateway as assignments and differences name it. */
export function gatewayData(gateway: PlanGateway): DataObject {
  return {
    node: gateway.node,
    gatewayIP: renderAddress(gateway.gatewayIP),
    egressIPs: gateway.egressIPs?.map(renderAddress) ?? null,
  };
}

function issueData({ code, severity, object, path, message }: Issue): Data {
  return { code, severity, object, path, message };
}

function capacityData(capacity: Capacity): Data {
  return {
    mapSize: capacity.mapSize,
    rows: capacity.rows,
    nodes: capacity.nodes.map(({ node, rowsIPv4, rowsIPv6, heldEndpoints }) => ({
      node,
      rowsIPv4,
      rowsIPv6,
      heldEndpoints,
    })),
    egressIPs: capacity.egressIPs.map(({ egressIP, node, endpoints }) => ({
      egressIP: renderAddress(egressIP),
      node,
      endpoints,
      portsPerEndpoint: portsPerEndpoint(endpoints),
    })),
  };
}

function assignmentForms() {
  const gatewayText = remembered((gateway: PlanGateway) => inlineJson(gatewayData(gateway)));
  const nameText = remembered(JSON.stringify);
  return {
    json({ policy, endpoint, addresses, gateway }: Assignment): string {
      const name = JSON.stringify(`${endpoint.namespace}/${endpoint.name}`);
      const ips = addresses.map((address) => `"${renderAddress(address)}"`).join(", ");
      return (
        `{"policy": ${nameText(policy)}, "endpoint": ${name}, ` +
        `"uid": ${JSON.stringify(endpoint.key)}, "ips": [${ips}], ` +
        `"entry": ${gateway === undefined ? "null" : gateway.entry}, ` +
        `"gateway": ${gateway === undefined ? "null" : gatewayText(gateway)}}`
      );
    },
    data: ({ policy, endpoint, addresses, gateway }: Assignment): Data => ({
      policy,
      endpoint: `${endpoint.namespace}/${endpoint.name}`,
      uid: endpoint.key,
      ips: addresses.map(renderAddress),
      entry: gateway?.entry ?? null,
      gateway: gateway === undefined ? null : gatewayData(gateway),
    }),
  };
}

/**
 * A row's line is three pieces: the source's, which the rows before may have had too (they are
 * sorted by source); the destination's, one of few; and what the row says, mostly one thing per
 * policy and gateway.
 */
function rowForms(): ElementForms<Row> {
  const prefixText = remembered((prefix: Prefix) => `"${renderPrefix(prefix)}"`);
  const says = new Map<string, Map<Address, { readonly row: Row; readonly text: string }>>();
  let source: Address | undefined;
  let sourceText = "";
  return {
    json(row) {
      if (row.source !== source) {
        source = row.source;
        sourceText = flat(`{"source": "${renderAddress(source)}", "destination": `);
      }
      let byGateway = says.get(row.policy);
      if (byGateway === undefined) says.set(row.policy, (byGateway = new Map()));
      let said = byGateway.get(row.gatewayIP);
      if (said?.row.egressIP !== row.egressIP || said.row.ifindex !== row.ifindex) {
        byGateway.set(row.gatewayIP, (said = { row, text: flat(valueText(row)) }));
      }
      return sourceText + prefixText(row.destination) + said.text;
    },
    data: (row) => ({
      source: renderAddress(row.source),
      destination: renderPrefix(row.destination),
      egressIP: row.egressIP === null ? null : renderAddress(row.egressIP),
      gatewayIP: renderAddress(row.gatewayIP),
      ifindex: row.ifindex,
      policy: row.policy,
    }),
  };
}

function valueText({ egressIP, gatewayIP, ifindex, policy }: Row): string {
  return (
    `, "egressIP": ${egressIP === null ? "null" : `"${renderAddress(egressIP)}"`}, ` +
    `"gatewayIP": "${renderAddress(gatewayIP)}", "ifindex": ${ifindex}, ` +
    `"policy": ${JSON.stringify(policy)}}`
  );
}

/**
 * The same text in one piece of memory. V8 keeps a sum of strings as a tree of its parts, which
 * would be walked again for every row that it is part of; reading it as a number flattens it.
 */
function flat(text: string): string {
  Number(text);
  return text;
}

/** Bound of what one list remembers; a fuller memory starts again from empty. */
const REMEMBERED_MAX = 4096;

function remembered<K>(render: (key: K) => string): (key: K) => string {
  const texts = new Map<K, string>();
  return (key) => {
    let text = texts.get(key);
    if (text === undefined) {
      if (texts.size === REMEMBERED_MAX) texts.clear();
      texts.set(key, (text = render(key)));
    }
    return text;
  };
}
