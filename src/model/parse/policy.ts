// Reads a CiliumEgressGatewayPolicy: what it may say (rules 1.2 to 1.6, 5.6), what is refused (2.1)
// and what is only surprising (2.4). The result is canonical (2.2).

import { sameValue } from "../../lib/equal.ts";
import type { Prefix } from "../../net/prefix.ts";
import { containsPrefix, renderPrefix } from "../../net/prefix.ts";
import { NAMESPACE_LABEL_PREFIX, NAMESPACE_NAME_LABEL } from "../namespace-labels.ts";
import type { Distribution, GatewayEntry, Policy, Rule } from "../policy.ts";
import { DISTRIBUTIONS, DISTRIBUTION_ANNOTATION, GATEWAYS_MAX } from "../policy.ts";
import type { Selector } from "../selector.ts";
import { compareRequirements } from "../selector.ts";
import type { Fields } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import type { PlacedPrefix } from "./network.ts";
import { addressOf, readPrefixes, uniquePrefixes } from "./network.ts";
import { readSelector } from "./selector.ts";
import { closest, show } from "./wording.ts";

const SPEC_FIELDS = [
  "selectors",
  "destinationCIDRs",
  "excludedCIDRs",
  "egressGateway",
  "egressGateways",
];
const RULE_FIELDS = ["podSelector", "namespaceSelector", "nodeSelector"];
const GATEWAY_FIELDS = ["nodeSelector", "interface", "egressIP"];

/** Rule 3.3: an empty namespaceSelector means "has the namespace label". */
const IN_ANY_NAMESPACE: Selector = [{ key: NAMESPACE_NAME_LABEL, operator: "Exists", values: [] }];

export function parsePolicy({ root, metadata, name, createdAt, ...object }: RawObject): Policy {
  const generation = Math.max(object.generation, 0);
  const distribution = readDistribution(metadata);
  const spec = root.fields("spec");
  if (!root.has("spec")) {
    root.note("MissingField", "a policy needs a spec", "spec");
    const nothing = { rules: [], destinations: [], exclusions: [], gateways: [], listed: false };
    return { name, createdAt, generation, distribution, ...nothing };
  }
  spec.expectOnly(SPEC_FIELDS);
  const rules = readRules(spec);
  const before = spec.noted;
  const destinations = uniquePrefixes(readDestinations(spec));
  const known = spec.noted === before;
  const exclusions = readPrefixes(spec, "excludedCIDRs");
  // Compared with half of the destinations, an exclusion would look worse than it is.
  if (known) warnOfExclusionsOutside(spec, destinations, exclusions);
  return {
    name,
    createdAt,
    generation,
    distribution,
    rules,
    destinations,
    exclusions: uniquePrefixes(exclusions),
    ...readGateways(spec),
  };
}

/** Rule 5.6. */
function readDistribution(metadata: Fields): Distribution | undefined {
  const annotations = metadata.fields("annotations");
  const before = annotations.noted;
  const text = annotations.string(DISTRIBUTION_ANNOTATION);
  if (!annotations.has(DISTRIBUTION_ANNOTATION) || annotations.noted > before) return undefined;
  const known = DISTRIBUTIONS.find((one) => one === text);
  if (known === undefined) {
    const remedy = closest(text, DISTRIBUTIONS) ?? DISTRIBUTIONS.join(", ");
    const message = `${show(text)} is no distribution; write ${remedy}`;
    annotations.note("InvalidDistribution", message, DISTRIBUTION_ANNOTATION);
  }
  return known;
}

function readRules(spec: Fields): readonly Rule[] {
  const before = spec.noted;
  const rules = spec.each("selectors").map(readRule);
  if (rules.length === 0 && spec.noted === before) {
    const remedy = "[{podSelector: {}}] selects every pod";
    spec.note("MissingField", `a policy needs selectors; ${remedy}`, "selectors");
  }
  return rules;
}

function readRule(fields: Fields): Rule {
  refuseUnknown(fields);
  const pod = optionalSelector(fields, "podSelector");
  const namespace = optionalSelector(fields, "namespaceSelector");
  const node = optionalSelector(fields, "nodeSelector");
  if (pod === undefined && namespace === undefined) {
    const remedy = "add podSelector or namespaceSelector ({} selects all)";
    fields.note("InvalidRule", `a rule must select pods; ${remedy}`);
  }
  return { pod, namespace: namespace && onNamespaceLabels(namespace), node };
}

/** Without a selector that somebody misspelt, a rule selects more than is meant. */
function refuseUnknown(fields: Fields): void {
  for (const key of fields.keys()) {
    if (RULE_FIELDS.includes(key)) continue;
    const remedy = closest(key, RULE_FIELDS) ?? RULE_FIELDS.join(", ");
    const problem = `${show(key)} is no field of a rule, so this one would select more`;
    fields.note("InvalidRule", `${problem}; write ${remedy}`, key);
  }
}

function optionalSelector(fields: Fields, key: string): Selector | undefined {
  return fields.has(key) ? readSelector(fields.fields(key)) : undefined;
}

/** The selector of a namespace's labels, as one of the endpoint's joined labels (rule 3.2). */
function onNamespaceLabels(selector: Selector): Selector {
  if (selector.length === 0) return IN_ANY_NAMESPACE;
  return selector
    .map((requirement) => ({ ...requirement, key: NAMESPACE_LABEL_PREFIX + requirement.key }))
    .sort(compareRequirements);
}

function readDestinations(spec: Fields): readonly PlacedPrefix[] {
  const before = spec.noted;
  const placed = readPrefixes(spec, "destinationCIDRs");
  if (placed.length === 0 && spec.noted === before) {
    const remedy = "0.0.0.0/0 is everything outside the cluster";
    spec.note("MissingField", `a policy needs destinationCIDRs; ${remedy}`, "destinationCIDRs");
  }
  return placed;
}

/** Rules 2.4 and 7.4; a repeated prefix is named once. */
function warnOfExclusionsOutside(
  spec: Fields,
  destinations: readonly Prefix[],
  exclusions: readonly PlacedPrefix[],
): void {
  const seen = new Set<Prefix>();
  for (const { prefix, index } of exclusions) {
    if (seen.has(prefix)) continue;
    seen.add(prefix);
    if (destinations.some((destination) => containsPrefix(destination, prefix))) continue;
    const message =
      `${renderPrefix(prefix)} is not inside one destination of this policy; ` +
      "it also cuts what other policies cover";
    spec.note("ExclusionOutsideDestinations", message, "excludedCIDRs", index);
  }
}

/** Rules 1.4 to 1.6. */
function readGateways(spec: Fields): Pick<Policy, "gateways" | "listed"> {
  const before = spec.noted;
  const list = spec.each("egressGateways");
  if (list.length > 0) {
    if (list.length > GATEWAYS_MAX) {
      const message = `${list.length} gateways are more than ${GATEWAYS_MAX}; split the policy`;
      spec.note("TooManyGateways", message, "egressGateways");
    }
    warnOfIgnoredGateway(spec);
    return { gateways: list.map(readGateway), listed: true };
  }
  if (spec.has("egressGateway")) {
    return { gateways: [readGateway(spec.fields("egressGateway"), 0)], listed: false };
  }
  if (spec.noted === before) {
    const message = "a policy needs a gateway; write egressGateways, or a single egressGateway";
    spec.note("MissingField", message, "egressGateways");
  }
  return { gateways: [], listed: false };
}

function readGateway(fields: Fields, entry: number): GatewayEntry {
  fields.expectOnly(GATEWAY_FIELDS);
  const nodeSelector = optionalSelector(fields, "nodeSelector");
  if (nodeSelector === undefined) {
    const message = "a gateway needs a nodeSelector ({} selects every node)";
    fields.note("MissingField", message, "nodeSelector");
  }
  const device = fields.string("interface");
  const egressIPText = fields.string("egressIP");
  const egressIP = egressIPText === "" ? undefined : addressOf(egressIPText, fields, "egressIP");
  if (device !== "" && egressIPText !== "") {
    fields.note("InvalidGateway", "has both interface and egressIP; keep one of them");
  }
  return { entry, nodeSelector: nodeSelector ?? [], egressIPText, egressIP, interface: device };
}

/** Rule 1.6: beside a list, egressGateway is compared and otherwise ignored, well-formed or not. */
function warnOfIgnoredGateway(spec: Fields): void {
  if (!spec.has("egressGateway")) return;
  const single = spec.apart().fields("egressGateway");
  const first = spec.apart().each("egressGateways")[0] as Fields;
  const before = first.noted;
  const same = sameValue(readGateway(single, 0), readGateway(first, 0));
  if (same && single.noted === first.noted - before) return;
  const remedy = "repeat that entry in egressGateway, or remove egressGateway";
  const message = `differs from the first entry of egressGateways and is ignored; ${remedy}`;
  spec.note("EgressGatewayIgnored", message, "egressGateway");
}
