// Policies that an API server with our definition must take or refuse, and what it says: one for
// each sentence of rule 2.1, and the forms of rules 1.3 to 1.6.

import { GATEWAYS_MAX } from "../../src/model/policy.ts";

export interface PolicySample {
  /** Also the policy's name. */
  readonly name: string;
  readonly spec: unknown;
  /** What the API server says; undefined: nothing, it takes it. */
  readonly refusal?: RegExp;
  /** Read from files it is taken: only the API server is as strict. */
  readonly onlyHere?: true;
}

const GATEWAY = { nodeSelector: { matchLabels: { gateway: "a" } } };
const RULE = { podSelector: { matchLabels: { app: "shop" } } };

function spec(fields: Readonly<Record<string, unknown>>) {
  const whole = { selectors: [RULE], destinationCIDRs: ["0.0.0.0/0"], egressGateway: GATEWAY };
  return Object.fromEntries(
    Object.entries({ ...whole, ...fields }).filter(([, value]) => value !== undefined),
  );
}

function expressions(...all: unknown[]) {
  return spec({ selectors: [{ podSelector: { matchExpressions: all } }] });
}

function gateways(...all: unknown[]) {
  return spec({ egressGateway: undefined, egressGateways: all });
}

const FORM = "write address and mask, as in 192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32";
const LABEL_KEY = "a label key is a name of up to 63 letters";

export const ACCEPTED: readonly PolicySample[] = [
  { name: "single-gateway", spec: spec({}) },
  { name: "only-a-list", spec: gateways(GATEWAY, { ...GATEWAY, interface: "eth1" }) },
  {
    name: "both",
    spec: spec({ egressGateways: [GATEWAY, { ...GATEWAY, egressIP: "2001:db8::7" }] }),
  },
  {
    name: "both-and-they-differ",
    spec: spec({ egressGateways: [{ ...GATEWAY, egressIP: "192.0.2.7" }] }),
  },
  { name: "an-empty-list", spec: spec({ egressGateways: [] }) },
  { name: "empty-selectors", spec: spec({ selectors: [{ podSelector: {} }] }) },
  { name: "only-namespaces", spec: spec({ selectors: [{ namespaceSelector: {} }] }) },
  {
    name: "all-selectors",
    spec: spec({ selectors: [{ ...RULE, namespaceSelector: {}, nodeSelector: {} }] }),
  },
  { name: "every-node", spec: gateways({ nodeSelector: {} }) },
  { name: "empty-fields", spec: gateways({ ...GATEWAY, interface: "", egressIP: "" }) },
  { name: "host-bits", spec: spec({ destinationCIDRs: ["10.1.2.3/8", "2001:db8::1/32"] }) },
  {
    name: "exclusions",
    spec: spec({ destinationCIDRs: ["::/0", "0.0.0.0/0"], excludedCIDRs: ["192.0.2.0/24"] }),
  },
  { name: "no-exclusions", spec: spec({ excludedCIDRs: [] }) },
  {
    name: "every-operator",
    spec: expressions(
      { key: "a", operator: "In", values: ["x", ""] },
      { key: "example.com/b_c", operator: "NotIn", values: ["y"] },
      { key: "d", operator: "Exists" },
      { key: "e", operator: "DoesNotExist", values: [] },
    ),
  },
  { name: "many-gateways", spec: gateways(...Array.from({ length: GATEWAYS_MAX }, () => GATEWAY)) },
];

export const REFUSED: readonly PolicySample[] = [
  { name: "no-spec", spec: undefined, refusal: /a policy needs a spec/ },
  {
    name: "no-destinations",
    spec: spec({ destinationCIDRs: undefined }),
    refusal: /spec\.destinationCIDRs: .*0\.0\.0\.0\/0 is everything outside the cluster/,
  },
  {
    name: "empty-destinations",
    spec: spec({ destinationCIDRs: [] }),
    refusal: /spec\.destinationCIDRs: .*a policy needs destinationCIDRs/,
  },
  ...["10.0.0.0", "10.0.0.0/33", "010.0.0.0/8", "2001:db8::/129", "example.com/24", ""].map(
    (prefix, i) => ({
      name: `bad-destination-${i}`,
      spec: spec({ destinationCIDRs: ["192.0.2.0/24", prefix] }),
      refusal: new RegExp(`spec\\.destinationCIDRs\\[1\\]: .*${FORM}`),
    }),
  ),
  {
    name: "bad-exclusion",
    spec: spec({ excludedCIDRs: ["192.0.2.7"] }),
    refusal: new RegExp(`spec\\.excludedCIDRs\\[0\\]: .*${FORM}`),
  },
  {
    name: "no-selectors",
    spec: spec({ selectors: undefined }),
    refusal: /spec\.selectors: .*\[\{podSelector: \{\}\}\] selects every pod/,
  },
  {
    name: "empty-list-of-selectors",
    spec: spec({ selectors: [] }),
    refusal: /spec\.selectors: .*a policy needs selectors/,
  },
  ...[{}, { nodeSelector: {} }].map((rule, i) => ({
    name: `rule-without-pods-${i}`,
    spec: spec({ selectors: [RULE, rule] }),
    refusal: /spec\.selectors\[1\]: .*add podSelector or namespaceSelector \(\{\} selects all\)/,
  })),
  ...[undefined, []].map((list, i) => ({
    name: `no-gateway-${i}`,
    spec: spec({ egressGateway: undefined, egressGateways: list }),
    refusal: /spec\.egressGateways: .*write egressGateways, or a single egressGateway/,
  })),
  {
    name: "gateway-without-selector",
    spec: gateways(GATEWAY, { egressIP: "192.0.2.7" }),
    refusal: /spec\.egressGateways\[1\]\.nodeSelector: .*\(\{\} selects every node\)/,
  },
  {
    name: "single-gateway-without-selector",
    spec: spec({ egressGateway: { interface: "eth1" } }),
    refusal: /spec\.egressGateway\.nodeSelector: .*\(\{\} selects every node\)/,
  },
  {
    name: "interface-and-address",
    spec: gateways({ ...GATEWAY, interface: "eth1", egressIP: "192.0.2.7" }),
    refusal: /spec\.egressGateways\[0\]: .*has both interface and egressIP; keep one of them/,
  },
  {
    name: "ignored-but-wrong",
    spec: spec({ egressGateway: { interface: "eth1" }, egressGateways: [GATEWAY] }),
    refusal: /spec\.egressGateway\.nodeSelector: .*\(\{\} selects every node\)/,
    onlyHere: true,
  },
  ...["192.0.2", "192.0.2.7/32", "192.0.2.07", "fe80::1%eth0", "gateway"].map((address, i) => ({
    name: `bad-address-${i}`,
    spec: gateways({ ...GATEWAY, egressIP: address }),
    refusal: /spec\.egressGateways\[0\]\.egressIP: .*write a plain IPv4 or IPv6 address/,
  })),
  {
    name: "too-many-gateways",
    spec: gateways(...Array.from({ length: GATEWAYS_MAX + 1 }, () => GATEWAY)),
    refusal: /spec\.egressGateways: Too many: 65: must have at most 64 items/,
  },
  {
    name: "unknown-operator",
    spec: expressions({ key: "a", operator: "Is", values: ["x"] }),
    refusal: /operator: Unsupported value: "Is": supported values: "In", "NotIn", "Exists"/,
  },
  {
    name: "no-operator",
    spec: expressions({ key: "a", values: ["x"] }),
    refusal: /matchExpressions\[0\]\.operator: Required value/,
  },
  {
    name: "no-values",
    spec: expressions({ key: "a", operator: "NotIn", values: [] }),
    refusal: /matchExpressions\[0\]\.values: .*In and NotIn need values; list at least one/,
  },
  {
    name: "values-of-exists",
    spec: expressions({ key: "a", operator: "Exists", values: ["x"] }),
    refusal: /matchExpressions\[0\]\.values: .*Exists and DoesNotExist take no values; remove/,
  },
  ...["", "-a", "a/b/c", "Example.com/a", "a".repeat(64)].map((key, i) => ({
    name: `bad-key-${i}`,
    spec: expressions({ key, operator: "Exists" }),
    refusal: new RegExp(`matchExpressions\\[0\\]\\.key: .*${LABEL_KEY}`),
  })),
  {
    name: "bad-key-of-a-label",
    spec: spec({ selectors: [{ namespaceSelector: { matchLabels: { "a b": "x" } } }] }),
    refusal: new RegExp(`namespaceSelector\\.matchLabels: .*${LABEL_KEY}`),
  },
  {
    name: "bad-value-of-a-label",
    spec: gateways({ nodeSelector: { matchLabels: { a: "x y" } } }),
    refusal: /nodeSelector\.matchLabels: .*a label value has up to 63 letters/,
  },
  {
    name: "bad-value",
    spec: expressions({ key: "a", operator: "In", values: ["-"] }),
    refusal: /matchExpressions\[0\]\.values\[0\]: .*should match '\^/,
  },
];

/** The object of a sample. */
export function policyOf({ name, spec: fields }: PolicySample) {
  const object = {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name },
  };
  return fields === undefined ? object : { ...object, spec: fields };
}
