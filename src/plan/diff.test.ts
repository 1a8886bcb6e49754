import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import { assertValid } from "../../test/support/schema.ts";
import {
  address,
  endpoint,
  gateway,
  NO_PLAN,
  policyPlan,
  prefix,
  streamOf,
} from "../../test/support/sample-plan.ts";
import { diffPlans, isEmptyDiff } from "./diff.ts";
import type { PlanDiff, PolicyDiff } from "./diff.ts";
import { writeDiff } from "./diff-data.ts";
import type { NodeCapacity, Plan } from "./plan.ts";

const OLD = policyPlan([gateway(1), gateway(2)], [0, 1, 0, 1]);

function only(diff: PlanDiff): PolicyDiff {
  assert.equal(diff.policies.length, 1);
  return diff.policies[0] as PolicyDiff;
}

function names(list: readonly { readonly endpoint: { readonly name: string } }[]): string[] {
  return list.map((one) => one.endpoint.name);
}

function moved({ moves }: PolicyDiff): string[] {
  return moves.map(({ assignment, before, after }) => {
    const { name } = assignment.endpoint;
    return `${name} ${before?.node ?? "dropped"} ${after?.node ?? "dropped"}`;
  });
}

function withNodes(plan: Plan, nodes: NodeCapacity[], mapSize = 100): Plan {
  return { ...plan, capacity: { ...plan.capacity, nodes, mapSize } };
}

describe("the difference of two plans", () => {
  test("is empty for the same plan, whatever the entries' places are [5.8]", () => {
    assert.ok(isEmptyDiff(diffPlans(OLD, OLD)));
    const gateways = [gateway(1, { entry: 7 }), gateway(2, { entry: 3 })];
    const reordered = policyPlan(gateways, [0, 1, 0, 1]);
    assert.ok(isEmptyDiff(diffPlans(OLD, reordered)));
  });

  test("names who moves from which gateway to which [5.7]", () => {
    const now = policyPlan([gateway(1), gateway(2), gateway(3)], [0, 1, 2, 0]);
    const diff = only(diffPlans(OLD, now));
    assert.deepEqual(moved(diff), ["web-3 gw-1 gw-3", "web-4 gw-2 gw-1"]);
    assert.deepEqual([diff.starts, diff.stops, diff.gatewayChanges], [[], [], []]);
    assert.deepEqual(
      diff.gateways.map(({ before, after }) => [before?.endpoints, after?.endpoints]),
      [[2, 2], [2, 1], [undefined, 1]],
    );
  });

  test("names who starts and who stops using a gateway", () => {
    const now = policyPlan([gateway(1), gateway(2)], [0, 1, 0, 1, 0]);
    assert.deepEqual(names(only(diffPlans(OLD, now)).starts), ["web-5"]);
    assert.deepEqual(names(only(diffPlans(now, OLD)).stops), ["web-5"]);
  });

  test("tells a re-created pod from the old one by its UID [3.1]", () => {
    const again = { ...endpoint("web-1", "10.1.0.1"), key: "another" as never };
    const assignments = [...OLD.assignments].map((one, i) =>
      i === 0 ? { ...one, endpoint: again } : one,
    );
    const diff = only(diffPlans(OLD, { ...OLD, assignments: streamOf(assignments) }));
    assert.deepEqual([names(diff.starts), names(diff.stops)], [["web-1"], ["web-1"]]);
  });

  test("counts an egress IP that changes under its endpoints once, not as moves", () => {
    const egressIPs = [address("192.0.2.77")];
    const now = policyPlan([gateway(1, { egressIPs }), gateway(2)], [0, 1, 0, 1]);
    const diff = only(diffPlans(OLD, now));
    assert.deepEqual(diff.moves, []);
    assert.equal(diff.gatewayChanges.length, 1);
    assert.deepEqual(diff.gatewayChanges[0]?.after.egressIPs, egressIPs);
    assert.equal(diff.gatewayChanges[0]?.endpoints, 2);
  });

  test("tells a move between two gateways of one node from a changed address", () => {
    const second = gateway(1, { entry: 1, egressIPs: [address("192.0.2.99")] });
    const old = policyPlan([gateway(1), second], [0, 1]);
    const now = policyPlan([gateway(1), second], [1, 0]);
    const diff = only(diffPlans(old, now));
    assert.equal(diff.moves.length, 2);
    assert.deepEqual(diff.gatewayChanges, []);
  });

  test("tells unknown egress IPs from none [6.8]", () => {
    const unknown = policyPlan([gateway(1, { egressIPs: null })], [0]);
    const none = policyPlan([gateway(1, { egressIPs: [] })], [0]);
    assert.equal(only(diffPlans(unknown, none)).gatewayChanges.length, 1);
  });

  test("shows endpoints that are dropped, or no longer, as moves", () => {
    const none = policyPlan([], [undefined, undefined, undefined, undefined]);
    assert.equal(moved(only(diffPlans(OLD, none)))[0], "web-1 gw-1 dropped");
    assert.equal(moved(only(diffPlans(none, OLD)))[0], "web-1 dropped gw-1");
  });

  test("notices what changes no assignment: destinations, conditions, addresses, strategy", () => {
    const gateways = [gateway(1), gateway(2)];
    const variants: Plan[] = [
      policyPlan(gateways, [0, 1, 0, 1], { policy: { destinations: [prefix("10.0.0.0/8")] } }),
      policyPlan(gateways, [0, 1, 0, 1], { policy: { exclusions: [prefix("10.0.0.0/8")] } }),
      policyPlan(gateways, [0, 1, 0, 1], { policy: { distribution: "rendezvous" } }),
      policyPlan(gateways, [0, 1, 0, 1], {
        policy: {
          conditions: [{ type: "Conflicted", status: "True", reason: "R", message: "m" }],
        },
      }),
      policyPlan([...gateways, gateway(3)], [0, 1, 0, 1]),
      { ...OLD, assignments: streamOf([...OLD.assignments].map(readdressed)) },
    ];
    for (const now of variants) {
      const diff = diffPlans(OLD, now);
      assert.equal(isEmptyDiff(diff), false);
      assert.deepEqual(only(diff).moves, []);
    }
  });

  test("compares policies that are new or gone", () => {
    const appeared = only(diffPlans(NO_PLAN, OLD));
    assert.equal(appeared.before, undefined);
    assert.equal(appeared.starts.length, 4);
    const gone = only(diffPlans(OLD, NO_PLAN));
    assert.equal(gone.after, undefined);
    assert.equal(gone.stops.length, 4);
  });

  test("pairs the rows of every node and notices them alone", () => {
    const a = { node: "a", rowsIPv4: 10, rowsIPv6: 0, heldEndpoints: 0 };
    const b = { node: "b", rowsIPv4: 1, rowsIPv6: 2, heldEndpoints: 0 };
    const diff = diffPlans(withNodes(OLD, [a]), withNodes(OLD, [{ ...a, rowsIPv4: 11 }, b]));
    assert.deepEqual(diff.policies, []);
    assert.deepEqual(
      diff.nodes.map((one) => [one.node, one.before?.rowsIPv4, one.after?.rowsIPv4]),
      [["a", 10, 11], ["b", undefined, 1]],
    );
    assert.equal(isEmptyDiff(diff), false);
    assert.equal(isEmptyDiff(diffPlans(withNodes(OLD, [a]), withNodes(OLD, [a], 200))), false);
  });
});

describe("the difference as a document", () => {
  test("is what the schema says, and the same in YAML", () => {
    const a = { node: "a", rowsIPv4: 10, rowsIPv6: 0, heldEndpoints: 3 };
    const changed = policyPlan([gateway(1, { egressIPs: null }), gateway(3)], [0, 1, 1, 0, 0]);
    const readdress = { ...OLD, assignments: streamOf([...OLD.assignments].map(readdressed)) };
    for (const [before, after] of [
      [OLD, OLD],
      [OLD, withNodes(changed, [a])],
      [withNodes(changed, [a]), NO_PLAN],
      [policyPlan([], [undefined]), OLD],
      [OLD, readdress],
    ] as const) {
      const diff = diffPlans(before, after);
      let json = "";
      writeDiff(diff, "json", (piece) => (json += piece));
      let yaml = "";
      writeDiff(diff, "yaml", (piece) => (yaml += piece));
      assertValid("diff", JSON.parse(json));
      assert.deepEqual(load(yaml), JSON.parse(json));
    }
  });
});

function readdressed<T extends { readonly addresses: readonly unknown[] }>(one: T, i: number): T {
  return i === 0 ? { ...one, addresses: [address("10.1.0.200")] } : one;
}
