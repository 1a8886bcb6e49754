import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { address, gateway, NO_PLAN, policyPlan } from "../../test/support/sample-plan.ts";
import { PLAIN } from "../lib/screen.ts";
import { diffPlans } from "./diff.ts";
import type { Plan } from "./plan.ts";
import { renderDiff } from "./render-diff.ts";

const OLD = policyPlan([gateway(1), gateway(2)], [0, 1, 0, 1]);

function drawn(before: Plan, after: Plan): string {
  let text = "";
  renderDiff(diffPlans(before, after), PLAIN, (piece) => (text += piece));
  return text;
}

describe("a difference for people", () => {
  test("shows loads, moves, starts and maps, and ends with the count [5.7]", () => {
    const nodes = [{ node: "gw-1", rowsIPv4: 4, rowsIPv6: 0, heldEndpoints: 0 }];
    const now = policyPlan([gateway(1), gateway(2), gateway(3)], [0, 1, 2, 0, 1], {
      capacity: { ...OLD.capacity, nodes },
    });
    assert.equal(
      drawn(OLD, now),
      `p  round-robin · endpoints 4 → 5 · gateways 2 → 3
  to 203.0.113.0/24

  GATEWAY  EGRESS IP  BEFORE  AFTER  CHANGE
  gw-1     192.0.2.1       2      2
  gw-2     192.0.2.2       2      2
  gw-3     192.0.2.3       –      1      +1

          ENDPOINT    BEFORE  AFTER
  moves   shop/web-3  gw-1    gw-3
  moves   shop/web-4  gw-2    gw-1
  starts  shop/web-5  –       gw-2

Map fill  16,384 entries per map, 0 nodes unchanged

  NODE  ROWS BEFORE  AFTER  CHANGE  FILL BEFORE  AFTER
  gw-1            0      4      +4           0%  <0.1%

2 endpoints move, 1 starts, 0 stop.
`,
    );
  });

  test("says that there is none", () => {
    assert.equal(drawn(OLD, OLD), "No difference.\n");
  });

  test("shows a changed address once and names gateways of one node by their addresses", () => {
    const egressIPs = [address("192.0.2.77")];
    const now = policyPlan([gateway(1, { egressIPs }), gateway(2)], [0, 1, 0, 1]);
    assert.match(drawn(OLD, now), /gw-1 keeps 2 endpoints: egress IP [\d.]+ → 192\.0\.2\.77\n/);
    const twins = [gateway(1), gateway(1, { egressIPs })];
    const moved = drawn(policyPlan(twins, [0, 1]), policyPlan(twins, [1, 0]));
    assert.match(moved, /moves {2}shop\/web-1 {2}gw-1 192\.0\.2\.1 {3}gw-1 192\.0\.2\.77\n/);
  });

  test("shows policies that are new or removed, and conditions that come and go", () => {
    assert.match(drawn(NO_PLAN, OLD), /^p {2}new {2}round-robin · endpoints 4 · gateways 2\n/);
    assert.match(drawn(OLD, NO_PLAN), /^p {2}removed {2}round-robin/);
    const conditions = [
      { type: "Conflicted", status: "True", reason: "IdenticalRow", message: "q wins" },
    ] as const;
    const gateways = [gateway(1), gateway(2)];
    const conflicted = policyPlan(gateways, [0, 1, 0, 1], { policy: { conditions } });
    assert.match(drawn(OLD, conflicted), /\+ Conflicted=True IdenticalRow\n {4}q wins\n/);
    assert.match(drawn(conflicted, OLD), /- Conflicted=True IdenticalRow\n/);
  });
});
