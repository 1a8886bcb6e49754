// Why a policy selects an endpoint or does not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { present } from "../lib/assert.ts";
import type { Explanation, PolicyExplanation } from "../plan/explanation.ts";
import { explained, namespace, NODES, pod, policy, WEB } from "../../test/support/explained.ts";

const WEB_1 = pod("web-1", ["10.0.1.5"]);
const DB = { podSelector: { matchLabels: { app: "db" } } };
const ZONE = (zone: string) => ({ nodeSelector: { matchLabels: { zone } } });

function policyOf(explanation: Explanation): PolicyExplanation {
  return present(explanation.policies[0], "a policy");
}

/** How a policy with these rules selects web-1. */
function selection(selectors: readonly object[], ...more: readonly unknown[]): PolicyExplanation {
  const objects = [...NODES, WEB_1, ...more, policy("p", { selectors })];
  return policyOf(explained({ objects }));
}

describe("explaining the selection", () => {
  test("says which requirement failed and what the label is instead [3.3]", () => {
    const { assignment, rules, nodePool } = selection([DB]);
    assert.equal(assignment, undefined);
    assert.equal(nodePool, "open");
    assert.equal(rules[0]?.path, "spec.selectors[0]");
    const requirement = { key: "app", operator: "In", values: ["db"] };
    assert.deepEqual(rules[0]?.pod?.failed, [{ requirement, value: "web" }]);
  });

  test("tells an absent label from another value, in the namespace too [3.2, 3.3]", () => {
    const rule = { ...WEB, namespaceSelector: { matchLabels: { team: "a", stage: "x" } } };
    const { assignment, rules } = selection([rule], namespace("shop", { team: "b" }));
    assert.equal(assignment, undefined);
    assert.deepEqual(rules[0]?.pod?.failed, []);
    const prefix = "io.cilium.k8s.namespace.labels.";
    assert.deepEqual(
      rules[0]?.namespace?.failed.map(({ requirement, value }) => [requirement.key, value]),
      [[`${prefix}stage`, undefined], [`${prefix}team`, "b"]],
    );
  });

  test("says when another rule's nodeSelector lets the endpoint in [3.4]", () => {
    for (const web of [WEB, { ...WEB, ...ZONE("b") }]) {
      const { pooling, assignment } = selection([web, { ...DB, ...ZONE("a") }]);
      assert.equal(pooling, "selects");
      assert.ok(assignment);
    }
  });

  test("says when another rule's nodeSelector keeps the endpoint out [3.4]", () => {
    const { pooling, nodePool, assignment } = selection([WEB, { ...DB, ...ZONE("b") }]);
    assert.deepEqual({ pooling, nodePool, assignment }, {
      pooling: "refuses",
      nodePool: "fails",
      assignment: undefined,
    });
  });

  test("says nothing of pooling where the rule's own nodeSelector decides [3.4]", () => {
    assert.equal(selection([{ ...WEB, ...ZONE("a") }, DB]).pooling, undefined);
    const out = selection([{ ...WEB, ...ZONE("b") }, DB]);
    assert.deepEqual([out.pooling, out.nodePool], [undefined, "fails"]);
    assert.equal(selection([DB, { ...DB, ...ZONE("b") }]).pooling, undefined);
  });

  test("takes an unknown node for one without labels [3.4]", () => {
    const objects = [
      ...NODES,
      pod("web-1", ["10.0.1.5"], { node: "nowhere" }),
      policy("p", { selectors: [{ ...WEB, ...ZONE("a") }] }),
    ];
    const explanation = explained({ objects });
    assert.equal(explanation.endpoint.nodeKnown, false);
    const failed = present(policyOf(explanation).rules[0]?.node?.failed[0], "a failure");
    assert.equal(failed.value, undefined);
  });
});
