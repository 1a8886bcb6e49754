import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { issue } from "../model/issue.ts";
import type { Address } from "../net/address.ts";
import { parseAddress } from "../net/address.ts";
import type { PlanPolicy } from "../plan/plan.ts";
import type { PolicyFacts, StatusCondition } from "./policy-status.ts";
import { policyStatus, sameStatus } from "./policy-status.ts";

const NOW = "2026-01-01T00:00:00Z";
const address = (text: string) => parseAddress(text) as Address;

const IN_FORCE: PlanPolicy = {
  name: "p",
  distribution: "round-robin",
  destinations: [],
  exclusions: [],
  endpoints: 5,
  conditions: [],
  gateways: [
    {
      entry: 1,
      node: "gw",
      gatewayIP: address("192.0.2.1"),
      interface: null,
      egressIPs: null,
      endpoints: 5,
    },
  ],
};
const FACTS: PolicyFacts = {
  generation: 3,
  issues: [],
  inForce: IN_FORCE,
  listed: 2,
  needed: 2,
  lags: [],
  recent: false,
};

function statusOf(facts: Partial<PolicyFacts>, before: readonly StatusCondition[] = []) {
  return policyStatus({ ...FACTS, ...facts }, { before, now: NOW });
}

/** `Type=Status Reason: message` for each condition. */
function conditions(facts: Partial<PolicyFacts>): string[] {
  return statusOf(facts).conditions.map(({ type, status, reason, message }) => {
    return `${type}=${status} ${reason}: ${message}`;
  });
}

describe("the status of a policy [1.7]", () => {
  test("says gateways, endpoints and nodes; an unknown egress IP is absent [6.8]", () => {
    const { observedGeneration, resolved, endpoints, gateways, nodes } = statusOf({});
    assert.deepEqual([observedGeneration, resolved, endpoints], [3, "1/2", 5]);
    assert.deepEqual(gateways, [{ entry: 1, node: "gw", gatewayIP: "192.0.2.1", endpoints: 5 }]);
    assert.deepEqual(nodes, { summary: "2/2", needed: 2, programmed: 2, lagging: [] });
  });

  test("a policy without problems is accepted, resolved and programmed", () => {
    assert.deepEqual(conditions({}), [
      "Accepted=True Valid: the spec is valid",
      "ResolvedRefs=True Resolved: every gateway entry (2) matches a node",
      "Programmed=True Programmed: every node that needs it (2) holds it",
    ]);
    assert.match(conditions({ needed: 0 })[2] ?? "", /True NotNeeded/);
  });

  test("a refused version leaves the one before in force, and says so [2.3]", () => {
    const at = { object: "p", path: "spec.destinationCIDRs[0]" };
    const issues = [issue("InvalidPrefix", at, "has no mask")];
    const [accepted, , programmed] = conditions({ issues });
    assert.equal(
      accepted,
      "Accepted=False InvalidPrefix: spec.destinationCIDRs[0]: has no mask; the version accepted " +
        "before stays in force",
    );
    assert.match(programmed ?? "", /^Programmed=True/);
    const first = conditions({ issues, inForce: undefined, needed: 0 });
    assert.deepEqual(
      first.map((one) => one.split(":")[0]),
      [
        "Accepted=False InvalidPrefix",
        "ResolvedRefs=Unknown NotAccepted",
        "Programmed=False NotAccepted",
      ],
    );
  });

  test("warnings are told beside the acceptance [2.4]", () => {
    const at = { object: "p", path: "spec.egressGateway" };
    const issues = [issue("EgressGatewayIgnored", at, "differs")];
    const [accepted = ""] = conditions({ issues });
    assert.match(accepted, /^Accepted=True Valid: spec.egressGateway: differs/);
  });

  test("names the nodes that lag, and counts the rest", () => {
    const lags = ["a", "b", "c", "d"].map((node) => ({
      node,
      reason: "Silent" as const,
      message: "silent",
    }));
    assert.match(
      conditions({ needed: 9, lags })[2] ?? "",
      /^Programmed=False NodesLag: a: silent; b: silent; c: silent; and 1 node$/,
    );
    const recent = conditions({ needed: 9, lags, recent: true });
    assert.match(recent[2] ?? "", /False Pending: a: silent/);
    assert.equal(statusOf({ needed: 9, lags }).nodes?.summary, "5/9");
  });

  test("what the plan says of gateways, conflicts and full maps is said", () => {
    const conflict = {
      type: "Conflicted",
      status: "True",
      reason: "IdenticalRow",
      message: "the older policy q wins",
    } as const;
    const full = { type: "Programmed", status: "False", reason: "MapFull", message: "x" } as const;
    const none = { ...full, type: "ResolvedRefs", reason: "NoGateway", message: "y" } as const;
    const inForce = { ...IN_FORCE, conditions: [conflict, full, none] };
    assert.deepEqual(conditions({ inForce }).slice(1), [
      "ResolvedRefs=False NoGateway: y",
      "Programmed=False MapFull: x",
      "Conflicted=True IdenticalRow: the older policy q wins",
    ]);
  });

  test("conditions keep their time until their status changes", () => {
    const old = statusOf({}).conditions.map((one) => ({ ...one, lastTransitionTime: "before" }));
    const lags = [{ node: "a", reason: "Silent" as const, message: "silent" }];
    const times = statusOf({ lags }, old).conditions.map((one) => one.lastTransitionTime);
    assert.deepEqual(times, ["before", "before", NOW]);
  });

  test("is compared as the API server gives it back", () => {
    const status = statusOf({});
    assert.ok(sameStatus(JSON.parse(JSON.stringify(status)), status));
    assert.ok(!sameStatus(JSON.parse(JSON.stringify(statusOf({ generation: 4 }))), status));
    assert.ok(!sameStatus(undefined, status));
  });
});
