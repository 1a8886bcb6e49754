// Valid raw objects of every kind for property tests, with the clutter that real ones carry.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseObject } from "./object.ts";

export type Raw = Record<string, unknown>;

const word = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const uid = fc.uuid();
const time = fc
  .integer({ min: 0, max: 2 ** 31 - 2 })
  .map((seconds) => new Date(seconds * 1000).toISOString().replace(".000", ""));
const v4 = fc.ipV4();
const v6 = fc.ipV6().filter((text) => !text.includes("."));
const address = fc.oneof(v4, v6);
const prefix = fc.oneof(
  fc.tuple(v4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(v6, fc.integer({ min: 0, max: 128 })),
).map(([ip, length]) => `${ip}/${length}`);
const labelKey = fc.oneof(word, fc.tuple(word, word).map(([a, b]) => `${a}.io/${b}`));
const labelValue = fc.oneof(word, fc.constant(""), fc.stringMatching(/^[A-Z0-9]{1,20}$/));
const labels = fc.dictionary(labelKey, labelValue, { maxKeys: 4 });
const trickyText = fc.constantFrom(
  "a: b", "# no comment", "- x", "---", "line\nspec:\n  nodeName: x\n", "\tx", "*a", "&a",
);
const text = fc.oneof(fc.string(), word, trickyText);
const scalar = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null));
const clutter = fc.anything({ maxDepth: 3, values: [scalar] });

/** Fields that may be there or not. */
function optional<T extends Record<string, fc.Arbitrary<unknown>>>(model: T): fc.Arbitrary<Raw> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Raw>;
}

function object(
  [apiVersion, kind]: readonly [string, string],
  rest: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Raw> {
  const metadata = fc.tuple(fc.record({ name: word }), optional({
    namespace: word,
    uid,
    labels,
    creationTimestamp: time,
    resourceVersion: fc.nat().map(String),
    generation: fc.nat(),
    managedFields: clutter,
    ownerReferences: fc.array(fc.record({ kind: fc.constantFrom("Pod", "Job"), uid, name: word })),
  })).map(([required, more]) => ({ ...required, ...more }));
  const head = { apiVersion: fc.constant(apiVersion), kind: fc.constant(kind), metadata };
  // As a parser would give it: fast-check also makes objects without prototype.
  return fc.record({ ...head, ...rest }).map((raw) => JSON.parse(JSON.stringify(raw)) as Raw);
}

const expression = fc.oneof(
  fc.record({
    key: labelKey,
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.array(labelValue, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: labelKey, operator: fc.constantFrom("Exists", "DoesNotExist") }),
);
const selector = optional({ matchLabels: labels, matchExpressions: fc.array(expression) });
const rule = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector, nodeSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
);
const gateway = fc.oneof(
  fc.record({ nodeSelector: selector }),
  fc.record({ nodeSelector: selector, interface: word }),
  fc.record({ nodeSelector: selector, egressIP: address }),
);
const gateways = fc.oneof(
  fc.record({ egressGateway: gateway }),
  fc.record({ egressGateways: fc.array(gateway, { minLength: 1, maxLength: 4 }) }),
  fc.record({
    egressGateway: gateway,
    egressGateways: fc.array(gateway, { minLength: 1, maxLength: 4 }),
  }),
);

export const policyObject = object(["cilium.io/v2", "CiliumEgressGatewayPolicy"], {
  spec: fc.tuple(
    fc.record({
      selectors: fc.array(rule, { minLength: 1, maxLength: 3 }),
      destinationCIDRs: fc.array(prefix, { minLength: 1, maxLength: 4 }),
    }),
    optional({ excludedCIDRs: fc.array(prefix, { maxLength: 3 }) }),
    gateways,
  ).map((parts) => Object.assign({}, ...parts) as Raw),
});

export const podObject = object(["v1", "Pod"], {
  spec: optional({
    containers: clutter,
    hostNetwork: fc.boolean(),
    nodeName: word,
    tolerations: clutter,
    volumes: clutter,
  }),
  status: optional({
    conditions: clutter,
    containerStatuses: clutter,
    phase: fc.constantFrom("Pending", "Running", "Succeeded", "Failed", "Unknown"),
    podIP: address,
    podIPs: fc.array(fc.record({ ip: address }), { maxLength: 2 }),
  }),
});

const nodeStatus = fc.record({
  addresses: fc.array(
    fc.oneof(
      fc.record({ type: fc.constantFrom("InternalIP", "ExternalIP"), address }),
      fc.record({ type: fc.constant("Hostname"), address: word }),
    ),
  ),
  images: clutter,
});

const namespaceObject = object(["v1", "Namespace"], {});

export const validObject: fc.Arbitrary<Raw> = fc.oneof(
  policyObject,
  podObject,
  namespaceObject,
  object(["v1", "Node"], {
    spec: optional({ podCIDR: prefix, podCIDRs: fc.array(prefix, { maxLength: 2 }) }),
    status: nodeStatus,
  }),
  object(["cilium.io/v2", "CiliumNode"], {
    spec: optional({
      addresses: fc.array(fc.record({ type: fc.constant("InternalIP"), ip: address })),
      ipam: optional({ podCIDRs: fc.array(prefix), pools: clutter }),
    }),
  }),
  object(["cilium.io/v2", "CiliumEndpoint"], {
    status: optional({
      identity: fc.record({ id: fc.nat() }),
      networking: optional({
        addressing: fc.array(optional({ ipv4: v4, ipv6: v6 }), { maxLength: 2 }),
        node: address,
      }),
      policy: clutter,
    }),
  }),
  object(["cilium.io/v2", "CiliumIdentity"], {
    "security-labels": fc.dictionary(
      fc.tuple(fc.constantFrom("k8s:", "any:", "", "reserved:"), labelKey).map((p) => p.join("")),
      labelValue,
    ),
  }),
  object(["v1", "Service"], {
    spec: optional({
      clusterIP: fc.oneof(address, fc.constant("None")),
      clusterIPs: fc.array(fc.oneof(address, fc.constant("None")), { maxLength: 2 }),
      externalIPs: fc.array(address, { maxLength: 2 }),
      ports: clutter,
    }),
    status: optional({
      loadBalancer: optional({
        ingress: fc.array(optional({ ip: address, hostname: word }), { maxLength: 2 }),
      }),
    }),
  }),
  object(["networking.k8s.io/v1", "ServiceCIDR"], {
    spec: fc.record({ cidrs: fc.array(prefix, { minLength: 1, maxLength: 2 }) }),
  }),
  object(["projectcalico.org/v3", "IPPool"], { spec: fc.record({ cidr: prefix }) }),
  object(["sluice.dev/v1alpha1", "NodeState"], {
    status: fc.record({
      interfaces: fc.array(
        fc.record({
          name: word,
          ifindex: fc.integer({ min: 1, max: 1000 }),
          altNames: fc.array(word, { maxLength: 2 }),
          addresses: fc.array(fc.oneof(address, prefix), { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
      defaultRoutes: fc.array(
        fc.record({ family: fc.constantFrom("IPv4", "IPv6"), interface: word }),
      ),
    }),
  }),
);

test("every generated object is accepted", () => {
  fc.assert(
    fc.property(validObject, (raw) => {
      const parsed = parseObject(raw);
      assert.equal(parsed.kind, "object");
      if (parsed.kind !== "object") return;
      assert.deepEqual(parsed.change.issues.filter(({ severity }) => severity === "error"), []);
      assert.equal(parsed.change.refused, false);
    }),
  );
});
