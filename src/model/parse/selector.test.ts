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
