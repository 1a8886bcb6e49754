import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { load } from "js-yaml";
import { assertValid, schemaOf } from "../../test/support/schema.ts";
import {
  address,
  gateway,
  NO_PLAN,
  policyPlan,
  row,
  streamOf,
} from "../../test/support/sample-plan.ts";
import { issue } from "../model/issue.ts";
import type { Address } from "../net/address.ts";
import { prefixOf } from "../net/prefix.ts";
import type { DocumentFormat } from "./document.ts";
import type { Plan } from "./plan.ts";
import { writeIssues, writePlan } from "./plan-data.ts";
import type { Row } from "./row.ts";

function written(plan: Plan, format: DocumentFormat = "json"): string {
  let text = "";
  writePlan(plan, format, (piece) => (text += piece));
  return text;
}

const PLAN = policyPlan(
  [gateway(1), gateway(2, { egressIPs: null, interface: null }), gateway(3, { egressIPs: [] })],
  [0, 1, 2, 0],
  {
    node: "gw-1",
    rows: streamOf([
      row("10.1.0.1", "203.0.113.0/24"),
      row("10.1.0.2", "203.0.113.0/24", { egressIP: null, ifindex: null }),
      row("fd00::1", "2001:db8::/32", { egressIP: address("::"), policy: 'p"\\' }),
    ]),
    issues: [
      issue("NoEgressIP", { object: "CiliumEgressGatewayPolicy/p", path: "spec" }, 'said "so"'),
    ],
    capacity: {
      mapSize: 16_384,
      rows: "all",
      nodes: [{ node: "gw-1", rowsIPv4: 2, rowsIPv6: 1, heldEndpoints: 0 }],
      egressIPs: [{ egressIP: address("192.0.2.1"), node: "gw-1", endpoints: 2 }],
    },
    policy: {
      conditions: [
        { type: "ResolvedRefs", status: "False", reason: "NoGateway", message: "none" },
      ],
    },
  },
);

/** Few values, so that neighbours often agree in some of their parts. */
const ROWS: fc.Arbitrary<Row[]> = fc.array(
  fc
    .record({
      v6: fc.boolean(),
      source: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 0, max: 32 }),
      egressIP: fc.constantFrom("192.0.2.1", "192.0.2.2", null),
      gatewayIP: fc.constantFrom("10.0.0.1", "10.0.0.2", "0.0.0.0", "0.0.0.1"),
      ifindex: fc.constantFrom(0, 5, null),
      policy: fc.constantFrom("a", 'b"', "ü"),
    })
    .map(({ v6, source, length, egressIP, gatewayIP, ...rest }) => {
      const from: Address = address(v6 ? `fd00::${source}` : `10.1.0.${source}`);
      return {
        ...rest,
        source: from,
        destination: prefixOf(from, length),
        egressIP: egressIP === null ? null : address(egressIP),
        gatewayIP: address(gatewayIP),
      };
    }),
  { maxLength: 30 },
);

describe("the plan as a document", () => {
  test("is what the schema says, with and without a node [6.8]", () => {
    assertValid("plan", JSON.parse(written(PLAN)));
    assertValid("plan", JSON.parse(written(policyPlan([], [undefined, undefined]))));
    assertValid("plan", JSON.parse(written(NO_PLAN)));
  });

  test("is refused by the schema when a field is missing or new", () => {
    const good = JSON.parse(written(PLAN)) as Record<string, unknown>;
    assert.throws(() => assertValid("plan", { ...good, more: 1 }), /additional/);
    const { rows: _, ...noRows } = good;
    assert.throws(() => assertValid("plan", noRows), /dependencies/);
  });

  test("has the fields of the interface in their order, an element per line", () => {
    const document = JSON.parse(written(PLAN)) as Record<string, object[]>;
    assert.deepEqual(Object.keys(document), [
      "apiVersion",
      "kind",
      "node",
      "policies",
      "assignments",
      "rows",
      "issues",
      "capacity",
    ]);
    const keys = (list: string, place = 0) => Object.keys(document[list]?.[place] ?? {}).join(" ");
    assert.equal(keys("policies"), "name distribution endpoints conditions gateways");
    assert.equal(keys("assignments"), "policy endpoint uid ips entry gateway");
    assert.equal(keys("rows"), "source destination egressIP gatewayIP ifindex policy");
    assert.equal(keys("issues"), "code severity object path message");
    const lines = written(PLAN).split("\n");
    assert.equal(lines.filter((line) => line.startsWith('    {"policy": ')).length, 4);
    assert.equal(lines.filter((line) => line.startsWith('    {"source": ')).length, 3);
    assert.equal(lines.at(-1), "");
  });

  test("says null for what is not known or not there, and [] for no egress IP [6.8]", () => {
    const { policies, assignments, rows } = JSON.parse(written(PLAN));
    assert.deepEqual(
      policies[0].gateways.map((one: { egressIPs: unknown }) => one.egressIPs),
      [["192.0.2.1"], null, []],
    );
    assert.equal(assignments[1].gateway.egressIPs, null);
    assert.equal(rows[1].egressIP, null);
    assert.equal(rows[1].ifindex, null);
    const dropped = JSON.parse(written(policyPlan([], [undefined])));
    assert.equal(dropped.assignments[0].entry, null);
    assert.equal(dropped.assignments[0].gateway, null);
    assert.equal("rows" in dropped, false);
    assert.equal("node" in dropped, false);
  });

  test("says the same in JSON and in YAML, for any rows", () => {
    assert.deepEqual(load(written(PLAN, "yaml")), JSON.parse(written(PLAN)));
    fc.assert(
      fc.property(ROWS, (rows) => {
        const plan = { ...PLAN, rows: streamOf(rows) };
        assert.deepEqual(load(written(plan, "yaml")), JSON.parse(written(plan)));
      }),
    );
  });

  test("gives issues alone as a document of their own", () => {
    let text = "";
    writeIssues(PLAN.issues, "json", (piece) => (text += piece));
    assertValid("validation", JSON.parse(text));
    assert.equal(JSON.parse(text).issues[0].message, 'said "so"');
  });
});

describe("the schemas", () => {
  test("define what they share in the same way", () => {
    const definitions = (name: "plan" | "diff" | "validation") =>
      schemaOf(name)["definitions"] as Record<string, unknown>;
    const plan = definitions("plan");
    assert.deepEqual(definitions("validation")["issue"], plan["issue"]);
    for (const shared of ["address", "prefix", "condition"]) {
      assert.deepEqual(definitions("diff")[shared], plan[shared]);
    }
  });
});
