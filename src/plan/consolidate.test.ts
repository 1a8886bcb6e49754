import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseObject } from "../model/parse/object.ts";
import type { Policy } from "../model/policy.ts";
import { NEWEST } from "../model/policy.ts";
import { proposeConsolidations } from "./consolidate.ts";
import { policyData } from "./policy-data.ts";

type Spec = Readonly<Record<string, unknown>>;

function policy(name: string, spec: Spec, metadata: Spec = {}): Policy {
  const parsed = parseObject({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name, ...metadata },
    spec,
  });
  assert.equal(parsed.kind, "object");
  assert.deepEqual(parsed.change.issues, []);
  return parsed.change.value as Policy;
}

const gateway = (name: string) => ({ nodeSelector: { matchLabels: { gw: name } } });

/** One of several by whose label `slot` pods are split. */
function slot(value: string, more: Spec = {}): Policy {
  return policy(`partner-${value}`, {
    selectors: [{ podSelector: { matchLabels: { app: "web", slot: value } } }],
    destinationCIDRs: ["203.0.113.0/24"],
    egressGateway: gateway(value),
    ...more,
  });
}

function propose(policies: readonly Policy[], any = false) {
  return proposeConsolidations(policies, { any, taken: new Set(policies.map(({ name }) => name)) });
}

describe("consolidation", () => {
  test("makes one policy of those that differ in gateways and one label's values", () => {
    const [found, ...others] = propose([slot("a"), slot("b"), slot("c")]);
    assert.deepEqual(others, []);
    assert.equal(found?.label, "slot");
    const names = found.members.map(({ name }) => name);
    assert.deepEqual(names, ["partner-a", "partner-b", "partner-c"]);
    assert.deepEqual(policyData(found.merged), {
      apiVersion: "cilium.io/v2",
      kind: "CiliumEgressGatewayPolicy",
      metadata: { name: "partner" },
      spec: {
        selectors: [
          {
            podSelector: {
              matchLabels: { app: "web" },
              matchExpressions: [{ key: "slot", operator: "In", values: ["a", "b", "c"] }],
            },
          },
        ],
        destinationCIDRs: ["203.0.113.0/24"],
        egressGateways: [gateway("a"), gateway("b"), gateway("c")],
      },
    });
  });

  test("the merged policy is the newest: others win identical prefixes [7.3]", () => {
    const old = policy(
      "partner-a",
      {
        selectors: [{ podSelector: { matchLabels: { slot: "a" } } }],
        destinationCIDRs: ["0.0.0.0/0"],
        egressGateway: gateway("a"),
      },
      { creationTimestamp: "2020-01-01T00:00:00Z" },
    );
    const other = { ...old, name: "partner-b", createdAt: old.createdAt + 1 };
    assert.equal(propose([other, old])[0]?.merged.createdAt, NEWEST);
  });

  test("splits by labels of namespaces are found too", () => {
    const team = (value: string) =>
      policy(value, {
        selectors: [{ namespaceSelector: { matchLabels: { team: value } } }],
        destinationCIDRs: ["0.0.0.0/0"],
        egressGateway: gateway(value),
      });
    const [found] = propose([team("red"), team("blue")]);
    assert.equal(found?.label, "team");
    const { spec } = policyData(found.merged) as { spec: { selectors: unknown } };
    assert.deepEqual(spec.selectors, [
      {
        namespaceSelector: {
          matchExpressions: [{ key: "team", operator: "In", values: ["blue", "red"] }],
        },
      },
    ]);
  });

  test("leaves alone what differs in more", () => {
    assert.deepEqual(propose([slot("a")]), []);
    const others: readonly Spec[] = [
      { destinationCIDRs: ["203.0.113.0/25"] },
      { excludedCIDRs: ["203.0.113.7/32"] },
      { selectors: [{ podSelector: { matchLabels: { app: "shop", slot: "b" } } }] },
      {
        selectors: [
          { podSelector: { matchLabels: { app: "web", slot: "b" } }, nodeSelector: {} },
        ],
      },
    ];
    for (const more of others) assert.deepEqual(propose([slot("a"), slot("b", more)]), []);
    const rendezvous = { ...slot("b"), distribution: "rendezvous" } as const;
    assert.deepEqual(propose([slot("a"), rendezvous]), []);
  });

  test("with `any`, the same destinations are enough; node selectors must agree [3.4]", () => {
    const shop = slot("b", { selectors: [{ podSelector: { matchLabels: { app: "shop" } } }] });
    const [found] = propose([slot("a"), shop], true);
    assert.equal(found?.merged.rules.length, 2);
    const pooled = slot("b", { selectors: [{ podSelector: {}, nodeSelector: {} }] });
    assert.deepEqual(propose([slot("a"), pooled], true), []);
  });

  test("a gateway that several share is listed once, and more than 64 are not proposed", () => {
    const same = { egressGateway: gateway("x") };
    assert.equal(propose([slot("a", same), slot("b", same)])[0]?.merged.gateways.length, 1);
    const many = Array.from({ length: 65 }, (_, i) => slot(`s${i}`));
    assert.deepEqual(propose(many), []);
    assert.equal(propose(many.slice(0, 64))[0]?.merged.gateways.length, 64);
  });

  test("names are what the old ones have in common, and never one that is taken", () => {
    const named = (...names: string[]) =>
      propose(names.map((name, i) => ({ ...slot(`${i}`), name })))[0]?.merged.name;
    assert.equal(named("web-east-1", "web-east-2"), "web-east");
    assert.equal(named("web-one", "web-other"), "web");
    assert.equal(named("red", "blue"), "blue-gateways");
    assert.equal(named("web", "web-2"), "web-gateways");
  });

  test("a policy's object, parsed, is that policy again", () => {
    const before = policy(
      "p",
      {
        selectors: [
          { podSelector: {}, namespaceSelector: {}, nodeSelector: { matchLabels: { a: "b" } } },
          {
            namespaceSelector: {
              matchLabels: { a: "", b: "c" },
              matchExpressions: [
                { key: "b", operator: "In", values: ["d"] },
                { key: "e", operator: "NotIn", values: ["f", "g"] },
                { key: "h", operator: "Exists" },
              ],
            },
          },
        ],
        destinationCIDRs: ["::/0", "0.0.0.0/0"],
        excludedCIDRs: ["192.0.2.0/24"],
        egressGateways: [
          { ...gateway("a"), interface: "eth1" },
          { ...gateway("b"), egressIP: "192.0.2.7" },
        ],
      },
      { annotations: { "sluice.dev/distribution": "rendezvous" } },
    );
    const parsed = parseObject(policyData(before));
    assert.equal(parsed.kind, "object");
    assert.deepEqual(parsed.change.value, before);
  });
});
