// Why an entry resolves, which egress IP it has, and how one entry is chosen.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { present } from "../lib/assert.ts";
import { renderAddress } from "../net/address.ts";
import type {
  AssignmentExplanation,
  Choice,
  Explanation,
  Resolution,
} from "../plan/explanation.ts";
import type { ExplainQuestion } from "../../test/support/explained.ts";
import { explained, GW, node, NODES, pod, policy } from "../../test/support/explained.ts";

const WEB_1 = pod("web-1", ["10.0.1.5"]);

function assignmentOf(explanation: Explanation): AssignmentExplanation {
  return present(explanation.policies[0]?.assignment, "an assignment");
}

describe("explaining the gateways", () => {
  function resolutions(entries: readonly object[], ...more: readonly unknown[]): Resolution[] {
    const objects = [...NODES, WEB_1, ...more, policy("p", { egressGateways: entries })];
    return assignmentOf(explained({ objects })).gateways.map(({ resolution }) => resolution);
  }

  test("names the node, those that lost by name, and those without IPv4 [4.1]", () => {
    const [to] = resolutions(
      [GW("9")],
      node("b", "192.168.1.91", { gw: "9" }),
      node("c", "192.168.1.92", { gw: "9" }),
      node("a", undefined, { gw: "9" }),
    );
    assert.ok(to?.kind === "resolved");
    const { node: name, alsoMatched, skipped, egress } = to;
    assert.deepEqual({ name, alsoMatched, skipped, egress }, {
      name: "b",
      alsoMatched: ["c"],
      skipped: ["a"],
      egress: undefined,
    });
  });

  test("tells no matching node from nodes without IPv4 address [4.1]", () => {
    const all = resolutions([GW("8"), GW("9")], node("a", undefined, { gw: "9" }));
    assert.deepEqual(all[1], { kind: "no-address", nodes: ["a"] });
    assert.ok(all[0]?.kind === "no-match");
  });

  test("compares an entry that matches no node with the nearest nodes [4.1]", () => {
    const entry = { nodeSelector: { matchLabels: { gw: "2", rack: "r" } } };
    const [to] = resolutions([entry]);
    assert.ok(to?.kind === "no-match");
    assert.deepEqual(
      to.nearest.map((near) => [near.node, near.failed.map(({ requirement }) => requirement.key)]),
      [["gw-2", ["rack"]], ["gw-1", ["gw", "rack"]], ["worker-1", ["gw", "rack"]]],
    );
  });

  test("says which rule gives the egress IP, and why there is none [6.1, 6.2, 6.3, 6.8]", () => {
    const all = resolutions([
      { ...GW("1"), interface: "eth1" },
      { ...GW("1"), egressIP: "192.0.2.10" },
      { ...GW("1"), egressIP: "192.0.2.99" },
      GW("1"),
      { ...GW("1"), interface: "eth9" },
      GW("2"),
    ]);
    const told = all.map((to) => {
      assert.ok(to.kind === "resolved");
      const { egress } = to;
      return egress && [egress.rule, egress.addresses.map(renderAddress), egress.problem];
    });
    assert.deepEqual(told, [
      ["6.1", ["192.0.2.10"], undefined],
      ["6.2", ["192.0.2.10"], undefined],
      ["6.2", [], "no interface has the egressIP 192.0.2.99"],
      ["6.3", ["192.0.2.10"], undefined],
      ["6.1", [], "the node has no interface eth9"],
      undefined,
    ]);
  });
});

describe("explaining the distribution", () => {
  const PODS = ["10.0.1.10", "10.0.1.9", "10.0.1.5"].map((ip, i) => pod(`web-${i + 1}`, [ip]));
  const both = { egressGateways: [GW("2"), GW("1")] };

  function assigned(question: Partial<ExplainQuestion>, spec: object = both, annotations = {}) {
    const objects = [...NODES, ...PODS, policy("p", spec, { annotations })];
    return assignmentOf(explained({ objects, ...question }));
  }

  function choiceOf<K extends Choice["kind"]>(kind: K, of: AssignmentExplanation) {
    assert.equal(of.choice.kind, kind);
    return of.choice as Extract<Choice, { kind: K }>;
  }

  test("gives place and number of endpoints for round-robin [5.1, 5.4]", () => {
    const told = assigned({});
    assert.deepEqual(choiceOf("round-robin", told), {
      kind: "round-robin",
      rank: 2,
      endpoints: 3,
    });
    assert.deepEqual(told.order, [1, 0]);
    assert.equal(told.gateway?.node, "gw-1");
    assert.equal(told.distributionFrom, "default");
    assert.equal(assigned({ pod: "web-2" }).gateway?.node, "gw-2");
  });

  test("gives hash, index and order for cilium-hash, and doubts a Pod's UID [3.1, 5.2]", () => {
    const annotation = { "sluice.dev/distribution": "cilium-hash" };
    const told = assigned({}, both, annotation);
    assert.equal(told.distributionFrom, "annotation");
    assert.deepEqual(choiceOf("cilium-hash", told), {
      kind: "cilium-hash",
      uid: "web-1",
      predictable: false,
      hash: 1_991_751_455,
      index: 1,
      order: [1, 0],
    });
    assert.equal(told.gateway?.node, "gw-2");
  });

  test("gives every gateway's score for rendezvous [5.3]", () => {
    const told = assigned({ distribution: "rendezvous" });
    const { scores } = choiceOf("rendezvous", told);
    assert.deepEqual(scores.map(({ entry, key }) => [entry, key]), [[1, "gw-1||"], [0, "gw-2||"]]);
    const best = scores.toSorted((a, b) => b.score - a.score)[0];
    assert.equal(told.gateway?.entry, best?.entry);
  });

  test("has no choice where no entry resolves [4.3]", () => {
    const told = assigned({}, { egressGateways: [GW("9")] });
    assert.deepEqual([told.choice, told.order, told.gateway], [{ kind: "none" }, [], undefined]);
  });
});
