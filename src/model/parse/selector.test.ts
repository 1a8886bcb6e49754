import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issue } from "../issue.ts";
import { parseObject } from "./object.ts";

type Raw = Record<string, unknown>;

/** What is wrong with a policy that is good but for this rule. */
function issuesOf(rule: Raw): readonly Issue[] {
  const parsed = parseObject({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: "p" },
    spec: {
      selectors: [rule],
      destinationCIDRs: ["0.0.0.0/0"],
      egressGateway: { nodeSelector: {} },
    },
  });
  assert.equal(parsed.kind, "object");
  return parsed.change.issues;
}

/** A rule with one expression. */
function expression(key: unknown, operator: unknown, values?: unknown): Raw {
  return { podSelector: { matchExpressions: [{ key, operator, values }] } };
}

describe("a selector is refused as Kubernetes does [2.1]", () => {
  const long = "a".repeat(64);
  const refused: [string, Raw][] = [
    ["an operator that does not exist", expression("a", "Equals", ["b"])],
    ["an operator in the wrong case", expression("a", "in", ["b"])],
    ["In without values", expression("a", "In", [])],
    ["NotIn without values", expression("a", "NotIn")],
    ["Exists with values", expression("a", "Exists", ["b"])],
    ["DoesNotExist with values", expression("a", "DoesNotExist", ["b"])],
    ["an empty key", expression("", "Exists")],
    ["a key with a space", expression("a b", "Exists")],
    ["a key of 64 letters", expression(long, "Exists")],
    ["a key with an empty prefix", expression("/a", "Exists")],
    ["a key with a prefix that is no DNS name", expression("A_/a", "Exists")],
    ["a key with two slashes", expression("a/b/c", "Exists")],
    ["a key with a prefix of 254 letters", expression(`${"a.".repeat(126)}aa/a`, "Exists")],
    ["a value of 64 letters", expression("a", "In", [long])],
    ["a value that ends with a dash", { podSelector: { matchLabels: { a: "b-" } } }],
  ];
  for (const [what, rule] of refused) {
    test(what, () => {
      assert.deepEqual(issuesOf(rule).map(({ code }) => code), ["InvalidSelector"]);
    });
  }

  test("but not the longest key, the longest value and the empty value", () => {
    const key = `${"a.".repeat(126)}a/${"b".repeat(63)}`;
    assert.deepEqual(issuesOf(expression(key, "In", ["c".repeat(63), ""])), []);
  });

  test("and the message names the operator that was meant", () => {
    const [issue] = issuesOf(expression("a", "notin", ["b"]));
    assert.equal(issue?.path, "spec.selectors[0].podSelector.matchExpressions[0].operator");
    assert.equal(issue?.message, '"notin" is no operator; write NotIn');
  });
});

describe("what a selector or rule would match more without is an error [2.1]", () => {
  const refused: [string, Raw, string][] = [
    [
      "labels without matchLabels",
      { podSelector: { app: "checkout" } },
      'InvalidSelector spec.selectors[0].podSelector.app: "app" is no field of a selector, so ' +
        "this one would match everything; write matchLabels: {app: checkout}",
    ],
    [
      "a label whose value is no text",
      { nodeSelector: { "a.b/c": true }, podSelector: {} },
      'InvalidSelector spec.selectors[0].nodeSelector["a.b/c"]: "a.b/c" is no field of a ' +
        "selector, so this one would match everything; write matchLabels",
    ],
    [
      "a slip of the pen",
      { podSelector: { matchLabels: {}, matchExpression: [] } },
      'InvalidSelector spec.selectors[0].podSelector.matchExpression: "matchExpression" is no ' +
        "field of a selector, so this one would match more; write matchExpressions",
    ],
    [
      "a selector of a rule that is misspelt",
      { podSelector: {}, namespaceSelectors: {} },
      'InvalidRule spec.selectors[0].namespaceSelectors: "namespaceSelectors" is no field of a ' +
        "rule, so this one would select more; write namespaceSelector",
    ],
    [
      "a field that no rule has",
      { podSelector: {}, color: 1 },
      'InvalidRule spec.selectors[0].color: "color" is no field of a rule, so this one would ' +
        "select more; write podSelector, namespaceSelector, nodeSelector",
    ],
  ];
  for (const [what, rule, text] of refused) {
    test(what, () => {
      const texts = issuesOf(rule).map(({ code, path, message }) => `${code} ${path}: ${message}`);
      assert.deepEqual(texts, [text]);
    });
  }

  test("a gateway's nodeSelector too", () => {
    const parsed = parseObject({
      apiVersion: "cilium.io/v2",
      kind: "CiliumEgressGatewayPolicy",
      metadata: { name: "p" },
      spec: {
        selectors: [{ podSelector: {} }],
        destinationCIDRs: ["0.0.0.0/0"],
        egressGateways: [{ nodeSelector: { "kubernetes.io/hostname": "gateway-2" } }],
      },
    });
    assert.equal(parsed.kind, "object");
    assert.deepEqual(parsed.change.issues.map(({ code, path }) => [code, path]), [
      ["InvalidSelector", 'spec.egressGateways[0].nodeSelector["kubernetes.io/hostname"]'],
    ]);
  });
});
