// A difference of two plans as the document of `sluice diff -o json` (schemas/diff.schema.json).

import type { Data, DataObject } from "../lib/data.ts";
import type { Emit } from "../lib/screen.ts";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import { fullerMap } from "./capacity.ts";
import type { BeforeAfter, NodeDiff, PlanDiff, PolicyDiff, PolicyTerms } from "./diff.ts";
import type { DocumentFormat } from "./document.ts";
import { shortList, writeDocument } from "./document.ts";
import type { Assignment, NodeCapacity, PlanGateway } from "./plan.ts";
import { conditionData, gatewayData } from "./plan-data.ts";

/** Writes the difference; the same two plans give the same bytes. */
export function writeDiff(diff: PlanDiff, format: DocumentFormat, emit: Emit): void {
  const { before, after } = diff.mapSize;
  const fields = [
    { key: "policies", list: shortList(diff.policies, policyData) },
    { key: "mapSize", value: { before, after } },
    { key: "nodes", list: shortList(diff.nodes, (node) => nodeData(node, diff.mapSize)) },
  ];
  writeDocument("PlanDiff", fields, format, emit);
}

function policyData(policy: PolicyDiff): Data {
  return {
    name: policy.name,
    before: policy.before === undefined ? null : termsData(policy.before),
    after: policy.after === undefined ? null : termsData(policy.after),
    moves: policy.moves.map(({ assignment, before, after }) => ({
      ...endpointData(assignment),
      before: gatewayOrNull(before),
      after: gatewayOrNull(after),
    })),
    starts: policy.starts.map((one) => ({
      ...endpointData(one),
      gateway: gatewayOrNull(one.gateway),
    })),
    stops: policy.stops.map((one) => ({
      ...endpointData(one),
      gateway: gatewayOrNull(one.gateway),
    })),
    gatewayChanges: policy.gatewayChanges.map(({ before, after, endpoints }) => ({
      before: siteData(before),
      after: siteData(after),
      endpoints,
    })),
    addressChanges: policy.addressChanges.map(({ assignment, before, after }) => ({
      ...endpointData(assignment),
      before: before.map(renderAddress),
      after: after.map(renderAddress),
    })),
    gateways: policy.gateways.map(gatewayLoad),
  };
}

function termsData(terms: PolicyTerms): Data {
  return {
    distribution: terms.distribution,
    destinationCIDRs: terms.destinations.map(renderPrefix),
    excludedCIDRs: terms.exclusions.map(renderPrefix),
    endpoints: terms.endpoints,
    conditions: terms.conditions.map(conditionData),
  };
}

function endpointData({ endpoint }: Assignment): DataObject {
  return { endpoint: `${endpoint.namespace}/${endpoint.name}`, uid: endpoint.key };
}

function gatewayOrNull(gateway: PlanGateway | undefined): Data {
  return gateway === undefined ? null : siteData(gateway);
}

function siteData(gateway: PlanGateway): DataObject {
  return { ...gatewayData(gateway), interface: gateway.interface };
}

function gatewayLoad({ before, after }: BeforeAfter<PlanGateway>): Data {
  return {
    ...siteData((before ?? after) as PlanGateway),
    endpoints: { before: before?.endpoints ?? null, after: after?.endpoints ?? null },
  };
}

function nodeData({ node, before, after }: NodeDiff, mapSize: PlanDiff["mapSize"]): Data {
  return {
    node,
    before: fillData(before, mapSize.before),
    after: fillData(after, mapSize.after),
  };
}

const NO_ROWS = { rowsIPv4: 0, rowsIPv6: 0, heldEndpoints: 0 };

function fillData(capacity: NodeCapacity | undefined, mapSize: number): Data {
  const { rowsIPv4, rowsIPv6, heldEndpoints } = capacity ?? NO_ROWS;
  // Four digits: a hundredth of a percent.
  const mapFill = Math.round((fullerMap({ rowsIPv4, rowsIPv6 }) / mapSize) * 10_000) / 10_000;
  return { rowsIPv4, rowsIPv6, heldEndpoints, mapFill };
}
