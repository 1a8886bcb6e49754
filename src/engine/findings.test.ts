import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GW, NODES, nodeState, parsed, policy } from "../../test/support/explained.ts";
import { Cluster } from "../model/cluster.ts";
import { buildPlan } from "./build-plan.ts";
import { Engine } from "./engine.ts";

/** The conditions of a policy with these gateways; gw-2 has the address 192.0.2.20. */
function conditions(...egressGateways: object[]): string[] {
  const cluster = new Cluster();
  const objects = [...NODES, nodeState("gw-2", "192.0.2.20/24"), policy("p", { egressGateways })];
  const engine = new Engine({ distribution: "round-robin", scope: undefined });
  engine.step(cluster.apply(objects.map(parsed)));
  const plan = buildPlan({ cluster, engine, rows: "needed", mapSize: 1_000, issues: [] });
  return plan.policies.flatMap((one) =>
    one.conditions.map(({ type, status, reason, message }) => {
      return `${type}=${status} ${reason}: ${message}`;
    }),
  );
}

describe("the condition of a policy's gateways", () => {
  const wrong = { ...GW("2"), egressIP: "192.0.2.99" };
  const drops = "gateway gw-2 drops this traffic: no interface has the egressIP 192.0.2.99";

  test("is absent where every gateway has its egress IP [6.2]", () => {
    assert.deepEqual(conditions(GW("1"), { ...GW("2"), egressIP: "192.0.2.20" }), []);
  });

  test("names the gateway and the address that nobody has [6.5]", () => {
    assert.deepEqual(conditions(GW("1"), wrong), [`ResolvedRefs=False NoEgressIP: ${drops}`]);
  });

  test("says what drops before what is left out, whatever the list's order [5.8]", () => {
    const both = [`ResolvedRefs=False NoEgressIP: ${drops}; no node matches gw=3`];
    assert.deepEqual(conditions(GW("3"), wrong), both);
    assert.deepEqual(conditions(wrong, GW("3"), GW("1")), both);
  });

  test("is about the policy where no entry resolves [4.3]", () => {
    const [only, ...more] = conditions(GW("3"));
    assert.match(only ?? "", /^ResolvedRefs=False NoGateway: /);
    assert.deepEqual(more, []);
  });
});
