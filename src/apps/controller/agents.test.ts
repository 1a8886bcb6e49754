import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PolicyAcknowledgement } from "../../model/acknowledgement.ts";
import type { RowSum } from "../../model/row-sum.ts";
import { Agents } from "./agents.ts";

const PATIENCE = { silentMs: 180_000, graceMs: 15_000 };
const WANTED: RowSum = { rows: 2, digest: "a" };
const POLICY = { name: "p", generation: 3 };

/** What a node says at a moment. */
function says(agents: Agents, nowMs: number, fields: Partial<PolicyAcknowledgement>): void {
  const policy = { name: "p", generation: 3, message: "", ...WANTED, ...fields };
  const policies = new Map([["p", policy]]);
  agents.note("n", { ready: true, message: "", renewTime: `${nowMs}`, policies }, nowMs);
}

function reasons(agents: Agents, nowMs: number, policy = POLICY): string[] {
  return agents.lags(policy, new Map([["n", WANTED]]), nowMs).map(({ reason }) => reason);
}

describe("nodes that lag", () => {
  test("are those that never said anything, that are silent, that have another generation", () => {
    const agents = new Agents(PATIENCE);
    assert.deepEqual(reasons(agents, 0), ["Unknown"]);
    says(agents, 0, { generation: 2 });
    assert.deepEqual(reasons(agents, 1), ["OldGeneration"]);
    says(agents, 2, {});
    assert.deepEqual(reasons(agents, 180_002), []);
    assert.deepEqual(reasons(agents, 180_003), ["Silent"]);
    says(agents, 190_000, {});
    assert.deepEqual(reasons(agents, 190_001), []);
    agents.note("n", undefined, 190_002);
    assert.deepEqual(reasons(agents, 190_003), ["Unknown"]);
  });

  test("may follow their pods for a moment once they held this generation", () => {
    const agents = new Agents(PATIENCE);
    says(agents, 0, { rows: 1, digest: "b" });
    assert.deepEqual(reasons(agents, 0), ["OtherRows"], "it never held this generation");
    says(agents, 1, {});
    assert.deepEqual(reasons(agents, 1), []);
    says(agents, 2, { rows: 1, digest: "b" });
    assert.deepEqual(reasons(agents, 10_000), []);
    assert.deepEqual(reasons(agents, 25_000), ["OtherRows"]);
    says(agents, 26_000, {});
    assert.deepEqual(reasons(agents, 26_000), []);
    assert.deepEqual(reasons(agents, 26_001, { ...POLICY, generation: 4 }), ["OldGeneration"]);
  });

  test("say why, where they know", () => {
    const agents = new Agents(PATIENCE);
    says(agents, 0, { rows: 1, digest: "b" });
    const message = () => agents.lags(POLICY, new Map([["n", WANTED]]), 1)[0]?.message;
    assert.equal(message(), "it holds 1 row, should hold 2");
    says(agents, 1, { digest: "b" });
    assert.equal(message(), "it holds other rows");
    says(agents, 2, { rows: 1, digest: "b", message: "MapFull" });
    assert.equal(message(), "MapFull");
  });
});
