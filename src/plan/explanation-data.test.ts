// The JSON and YAML of explanations against the schema and against each other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import { load } from "js-yaml";
import { writeExplanation } from "./explanation-data.ts";
import type { Explanation } from "./explanation.ts";
import type { ExplainQuestion } from "../../test/support/explained.ts";
import {
  explained,
  GW,
  namespace,
  node,
  NODES,
  pod,
  policy,
  WEB,
} from "../../test/support/explained.ts";

const schemaPath = new URL("../../schemas/explanation.schema.json", import.meta.url);
const validate = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true }).compile(
  JSON.parse(readFileSync(schemaPath, "utf8")),
);

function written(explanation: Explanation, format: "json" | "yaml" = "json"): string {
  let text = "";
  writeExplanation(explanation, format, (piece) => (text += piece));
  return text;
}

const WEB_1 = pod("web-1", ["10.0.1.5", "fd00::5"], { created: "2024-01-01T00:00:00Z" });
const NEWER = pod("web-2", ["10.0.1.5"], { created: "2024-01-02T00:00:00Z" });
const ALL_ENTRIES = [
  GW("1"),
  { ...GW("2"), egressIP: "192.0.2.20" },
  { ...GW("1"), interface: "eth9" },
  GW("8"),
  GW("9"),
];
const BASE = [
  ...NODES,
  node("blind", undefined, { gw: "9" }),
  namespace("shop", { team: "a" }),
  WEB_1,
  policy("p", {
    selectors: [{ ...WEB, namespaceSelector: { matchLabels: { team: "a" } } }],
    destinationCIDRs: ["0.0.0.0/0", "::/0"],
    excludedCIDRs: ["10.0.0.0/8"],
    egressGateways: ALL_ENTRIES,
  }),
  policy("q", { selectors: [{ ...WEB, nodeSelector: { matchLabels: { zone: "b" } } }] }),
  policy("bad", { destinationCIDRs: ["everything"] }),
];

const QUESTIONS: readonly Partial<ExplainQuestion>[] = [
  {},
  { objects: [...BASE, NEWER], destination: "198.51.100.7" },
  { destination: "198.51.100.7", distribution: "rendezvous" },
  { destination: "198.51.100.7", distribution: "cilium-hash" },
  { destination: "10.0.1.77" },
  { destination: "10.0.1.5" },
  { destination: "192.168.1.1" },
  { destination: "10.96.0.1", clusterCidrs: ["10.96.0.0/12"] },
  { destination: "198.51.100.7", mapSize: 1 },
  { objects: [WEB_1, policy("p")], destination: "198.51.100.7" },
  { objects: [pod("web-1", ["10.0.1.5"], { node: "" })], destination: "2001:db8::1" },
];

describe("an explanation as data", () => {
  test("is what the schema says, for every kind of reason", () => {
    const kinds = new Set<string>();
    for (const question of QUESTIONS) {
      const explanation = explained({ objects: BASE, ...question });
      const document = JSON.parse(written(explanation));
      validate(document);
      assert.deepEqual(validate.errors ?? [], [], JSON.stringify(question));
      for (const { outcome } of explanation.destinations) kinds.add(outcome.kind);
      for (const { assignment } of explanation.policies) {
        if (assignment === undefined) continue;
        kinds.add(assignment.choice.kind);
        for (const { resolution } of assignment.gateways) kinds.add(resolution.kind);
      }
    }
    // Otherwise this test would prove less than it says.
    const outcomes = ["untouched", "no-source", "ordinary", "drop", "leaves"];
    const choices = ["none", "round-robin", "cilium-hash", "rendezvous"];
    const all = [...outcomes, ...choices, "resolved", "no-address", "no-match"];
    assert.deepEqual([...kinds].sort(), all.sort());
  });

  test("is refused by the schema when a field is missing or new", () => {
    const document = JSON.parse(written(explained({ objects: BASE })));
    assert.equal(validate({ ...document, extra: 1 }), false);
    document.destinations[0].outcome = { kind: "leaves" };
    assert.equal(validate(document), false);
  });

  test("shows addresses and prefixes as text, unknown ones as null [6.8]", () => {
    const blind = policy("p", { egressGateways: [GW("2")] });
    const objects = [...NODES, pod("web-1", ["10.0.1.5"]), blind];
    const { endpoint, destinations } = JSON.parse(
      written(explained({ objects, destination: "198.51.100.7" })),
    );
    assert.deepEqual(endpoint.addresses, ["10.0.1.5"]);
    assert.deepEqual(destinations, [
      {
        destination: "198.51.100.7",
        sources: ["10.0.1.5"],
        claims: [{ policy: "p", prefix: "0.0.0.0/0", exclusion: false, defeat: null }],
        verdict: "tunnel 192.168.1.2",
        outcome: {
          kind: "leaves",
          node: "gw-2",
          tunnelled: true,
          heldThere: 0,
          gatewayIP: "192.168.1.2",
          egressIP: null,
        },
      },
    ]);
  });

  test("is the same in YAML", () => {
    for (const question of QUESTIONS) {
      const explanation = explained({ objects: BASE, ...question });
      assert.deepEqual(load(written(explanation, "yaml")), JSON.parse(written(explanation)));
    }
  });
});
