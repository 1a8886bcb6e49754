// The JSON interface of `sluice explain`: an explanation as a document
// (schemas/explanation.schema.json). Addresses, prefixes and selectors are text; what is not there
// or not known is null.

import { unreachable } from "../lib/assert.ts";
import type { Data, DataObject } from "../lib/data.ts";
import type { Emit } from "../lib/screen.ts";
import type { Labels } from "../model/labels.ts";
import { NEWEST } from "../model/policy.ts";
import { renderRequirement, renderSelector } from "../model/selector.ts";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import type { DocumentFormat } from "./document.ts";
import { writeDocument } from "./document.ts";
import { renderAnswer, renderDestination } from "./explanation-answer.ts";
import type {
  AssignmentExplanation,
  Choice,
  ClusterPlace,
  DestinationExplanation,
  EndpointExplanation,
  Explanation,
  FailedRequirement,
  GatewayExplanation,
  KernelExplanation,
  Outcome,
  PolicyExplanation,
  Resolution,
  SelectorExplanation,
} from "./explanation.ts";
import { gatewayData } from "./plan-data.ts";
import { renderVerdict } from "./verdict.ts";

/** Writes the explanation; the same explanation gives the same bytes. */
export function writeExplanation(
  explanation: Explanation,
  format: DocumentFormat,
  emit: Emit,
): void {
  const { endpoint, policies, destination, destinations, kernels, issues } = explanation;
  const fields = [
    { key: "answer", value: renderAnswer(explanation) },
    { key: "endpoint", value: endpointData(endpoint) },
    { key: "destination", value: maybe(destination, renderAddress) },
    { key: "destinations", value: destinations.map(destinationData) },
    { key: "kernels", value: maybe(kernels, (all) => all.map(kernelData)) },
    { key: "policies", value: policies.map(policyData) },
    {
      key: "issues",
      value: issues.map(({ code, severity, object, path, message }) => {
        return { code, severity, object, path, message };
      }),
    },
  ];
  writeDocument("Explanation", fields, format, emit);
}

function maybe<T>(value: T | undefined | null, toData: (value: T) => Data): Data {
  return value === undefined || value === null ? null : toData(value);
}

function endpointData({ endpoint, nodeKnown, nodeIP, lost }: EndpointExplanation): Data {
  return {
    name: `${endpoint.namespace}/${endpoint.name}`,
    kind: endpoint.ciliumUid === "" ? "Pod" : "CiliumEndpoint",
    uid: endpoint.key,
    node: endpoint.node === "" ? null : endpoint.node,
    nodeKnown,
    nodeIP: maybe(nodeIP, renderAddress),
    addresses: endpoint.addresses.map(renderAddress),
    lost: lost.map(({ address, to }) => {
      return { address: renderAddress(address), to: `${to.namespace}/${to.name}`, uid: to.key };
    }),
    labels: labelsData(endpoint.labels),
  };
}

function labelsData(labels: Labels): DataObject {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) {
    pairs.push([labels[i] as string, labels[i + 1] as string]);
  }
  return Object.fromEntries(pairs);
}

function policyData(policy: PolicyExplanation): Data {
  return {
    name: policy.name,
    createdAt: policy.createdAt === NEWEST ? null : timeText(policy.createdAt),
    selected: policy.assignment !== undefined,
    nodePool: policy.nodePool,
    pooling: policy.pooling ?? null,
    rules: policy.rules.map(({ path, pod, namespace, node }) => ({
      path,
      podSelector: maybe(pod, selectorData),
      namespaceSelector: maybe(namespace, selectorData),
      nodeSelector: maybe(node, selectorData),
    })),
    assignment: maybe(policy.assignment, assignmentData),
  };
}

/** RFC 3339, as Kubernetes writes times. */
function timeText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, -".000Z".length)}Z`;
}

function selectorData({ selector, failed }: SelectorExplanation): Data {
  return { selector: renderSelector(selector), failed: failed.map(failureData) };
}

function failureData({ requirement, value }: FailedRequirement): Data {
  const { key } = requirement;
  return { requirement: renderRequirement(requirement), key, value: value ?? null };
}

function assignmentData(assignment: AssignmentExplanation): Data {
  const { distribution, distributionFrom, order, choice, gateway, gateways } = assignment;
  return {
    distribution,
    distributionFrom,
    gateways: gateways.map(gatewayExplanationData),
    order,
    choice: choiceData(choice),
    entry: gateway?.entry ?? null,
    gateway: maybe(gateway, gatewayData),
  };
}

function gatewayExplanationData(gateway: GatewayExplanation): Data {
  return {
    entry: gateway.entry,
    path: gateway.path,
    nodeSelector: renderSelector(gateway.nodeSelector),
    resolution: resolutionData(gateway.resolution),
  };
}

function resolutionData(resolution: Resolution): Data {
  const { kind } = resolution;
  switch (kind) {
    case "resolved": {
      const { node, gatewayIP, alsoMatched, skipped, egress } = resolution;
      const known = maybe(egress, ({ rule, interface: device, addresses, problem }) => ({
        rule,
        interface: device,
        egressIPs: addresses.map(renderAddress),
        problem: problem ?? null,
      }));
      const gateway = { node, gatewayIP: renderAddress(gatewayIP) };
      return { kind, ...gateway, alsoMatched, skipped, egress: known };
    }
    case "no-address":
      return { kind, nodes: resolution.nodes };
    case "no-match":
      return {
        kind,
        nearest: resolution.nearest.map(({ node, failed }) => {
          return { node, failed: failed.map(failureData) };
        }),
      };
    default:
      return unreachable(kind);
  }
}

function choiceData(choice: Choice): Data {
  switch (choice.kind) {
    case "none":
    case "round-robin":
    case "cilium-hash":
      return { ...choice };
    case "rendezvous":
      return { ...choice, scores: choice.scores.map((score) => ({ ...score })) };
    default:
      return unreachable(choice);
  }
}

function destinationData(destination: DestinationExplanation): Data {
  const { prefix, sources, claims, verdict, outcome } = destination;
  return {
    destination: renderDestination(prefix),
    sources: sources.map(renderAddress),
    claims: claims.map(({ policy, prefix: claimed, exclusion, defeat }) => {
      return { policy, prefix: renderPrefix(claimed), exclusion, defeat: defeat ?? null };
    }),
    verdict: maybe(verdict, renderVerdict),
    outcome: outcomeData(outcome),
  };
}

/** Without ages, which no two calls have in common. */
function kernelData({ node, renewTime, silent, policies }: KernelExplanation): Data {
  return {
    node,
    renewTime,
    silent,
    policies: policies.map(({ name, held, wanted, lag }) => ({
      name,
      held: maybe(held, (rows) => ({ ...rows })),
      wanted: maybe(wanted, (rows) => ({ ...rows })),
      lag: lag ?? null,
    })),
  };
}

function outcomeData(outcome: Outcome): Data {
  switch (outcome.kind) {
    case "untouched":
      return { kind: outcome.kind, place: placeData(outcome.place) };
    case "no-source":
    case "ordinary":
    case "drop":
      return { ...outcome };
    case "leaves": {
      const { gatewayIP, egressIP, ...rest } = outcome;
      const known = egressIP === null ? null : renderAddress(egressIP);
      return { ...rest, gatewayIP: renderAddress(gatewayIP), egressIP: known };
    }
    default:
      return unreachable(outcome);
  }
}

function placeData(place: ClusterPlace): Data {
  switch (place.kind) {
    case "pod":
    case "node":
    case "service":
      return { ...place };
    case "pod-cidr":
    case "service-cidr":
    case "ip-pool":
    case "cluster-cidr":
    case "link":
      return { ...place, prefix: renderPrefix(place.prefix) };
    default:
      return unreachable(place);
  }
}
