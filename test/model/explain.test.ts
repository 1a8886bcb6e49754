// What `explain` says of random pods and destinations against the reference's rows, read by a
// linear scan; and, where it names an egress IP at another node, against that node's own rows.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { reference } from "../../src/engine/reference.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import type { Address } from "../../src/net/address.ts";
import { familyOf, unspecified } from "../../src/net/address.ts";
import { containsAddress, prefixLength } from "../../src/net/prefix.ts";
import type { DestinationExplanation, Explanation } from "../../src/plan/explanation.ts";
import type { RowsMode } from "../../src/plan/row.ts";
import { EXCLUDED_GATEWAY } from "../../src/plan/row.ts";
import { rowTable, verdictOf } from "../../src/plan/verdict.ts";
import { present } from "../../src/lib/assert.ts";
import { explained, viewOf } from "../support/explained.ts";
import { check } from "./check.ts";
import {
  addressAt,
  CLUSTER_CIDRS,
  DESTINATIONS,
  endpointAt,
  isInside,
  OUTSIDE,
  question,
  rowsOn,
  scan,
} from "./questions.ts";

interface Asked {
  readonly view: ModelView;
  readonly endpoint: Endpoint;
  readonly destination: Address;
  readonly told: DestinationExplanation;
  readonly rows: RowsMode;
}

/** Asks for one destination and checks every address that the endpoint holds. */
function checkDestination({ view, endpoint, destination, told, rows }: Asked): void {
  const { outcome, verdict, claims, sources } = told;
  assert.equal(outcome.kind === "untouched", isInside(view, destination));
  if (outcome.kind === "untouched") return;
  assert.equal(outcome.kind === "no-source", sources.length === 0);
  const here = rowsOn(endpoint.node, view, rows);
  const nodeIP = view.nodes.get(endpoint.node)?.internalIPv4;
  for (const source of sources) {
    const row = scan(here, source, destination);
    const expected = verdictOf(rowTable(here, source), destination, nodeIP);
    assert.deepEqual("row" in expected ? expected.row : undefined, row);
    assert.deepEqual([claims[0]?.policy, claims[0]?.prefix], [row?.policy, row?.destination]);
    assert.equal(claims[0]?.exclusion ?? false, row?.gatewayIP === EXCLUDED_GATEWAY);
    if (source === sources[0]) assert.deepEqual(verdict, expected);
    assert.equal(verdict?.kind, expected.kind);
    if (expected.kind === "tunnel") checkGateway({ view, told, source, destination, rows });
    if (expected.kind === "local") {
      assert.ok(outcome.kind === "leaves" && outcome.egressIP === expected.egressIP);
    }
    if (expected.kind === "drop") {
      assert.ok(outcome.kind === "drop" && outcome.reason === expected.reason);
    }
    const direct = expected.kind === "direct" || expected.kind === "excluded";
    assert.equal(outcome.kind === "ordinary", direct);
  }
}

/** The gateway looks the pair up in its own rows; `explain` has said beforehand what they say. */
function checkGateway(
  packet: Pick<Asked, "view" | "told" | "destination" | "rows"> & { readonly source: Address },
): void {
  const { view, told, source, destination, rows } = packet;
  const { outcome } = told;
  assert.ok(outcome.kind === "leaves" || outcome.kind === "drop");
  const there = scan(rowsOn(outcome.node, view, rows), source, destination);
  assert.equal(there?.gatewayIP, view.nodes.get(outcome.node)?.internalIPv4);
  const none = unspecified(familyOf(source));
  if (outcome.kind === "leaves") assert.equal(outcome.egressIP, there?.egressIP);
  else assert.deepEqual([outcome.reason, there?.egressIP], ["NoEgressIP", none]);
}

/** The policies that select the endpoint are those that the reference assigns it under. */
function checkPolicies(view: ModelView, { endpoint, policies: told }: Explanation): void {
  const { assignments } = reference(view, { distribution: "round-robin", scope: undefined });
  const own = assignments.filter((one) => one.endpoint === endpoint.endpoint.key);
  const selecting = told.flatMap(({ name, assignment }) => (assignment ? [name] : []));
  assert.deepEqual(selecting, own.map((one) => one.policy));
  for (const { policy: name, gateway } of own) {
    const explanation = told.find((one) => one.name === name)?.assignment;
    assert.equal(explanation?.gateway?.entry, gateway?.entry.entry);
  }
}

describe("explain", () => {
  const title = "says of random pods and destinations what the rows say [5.5, 6.8, 7.3, 7.6, 8.3]";
  test(title, (t) => {
    const seen = new Set<string>();
    check(
      t,
      question,
      ({ objects, place, destinations, rows }) => {
        const view = viewOf(objects);
        const endpoint = endpointAt(view, place);
        if (endpoint === undefined) return;
        for (const text of destinations) {
          const asked = { objects, pod: endpoint.key, clusterCidrs: CLUSTER_CIDRS, rows };
          const explanation = explained({ ...asked, destination: text });
          const told = present(explanation.destinations[0], "the destination");
          checkDestination({ view, endpoint, destination: addressAt(text), told, rows });
          checkPolicies(view, explanation);
          seen.add(`${told.outcome.kind} ${told.verdict?.kind ?? ""}`.trim());
        }
      },
      { runs: 500 },
    );
    // A generator that never reaches an outcome would prove nothing about it; a few runs may not.
    if (process.env["SLUICE_FC_RUNS"] !== undefined) return;
    const byRows = ["drop drop", "drop tunnel", "leaves local", "leaves tunnel"];
    const others = ["no-source", "ordinary direct", "ordinary excluded", "untouched"];
    assert.deepEqual([...seen].sort(), [...byRows, ...others]);
  });

  test("says of a prefix what it says of addresses that no longer prefix covers [7.3]", (t) => {
    let compared = 0;
    check(
      t,
      question,
      ({ objects, place, rows }) => {
        const endpoint = endpointAt(viewOf(objects), place);
        if (endpoint === undefined) return;
        const asked = { objects, pod: endpoint.key, clusterCidrs: CLUSTER_CIDRS, rows };
        const { destinations } = explained(asked);
        for (const { prefix, outcome, claims } of destinations) {
          const longer = destinations.filter((one) => {
            return prefixLength(one.prefix) > prefixLength(prefix);
          });
          const destination = DESTINATIONS.slice(0, OUTSIDE).find((text) => {
            const address = addressAt(text);
            if (!containsAddress(prefix, address)) return false;
            return longer.every((one) => !containsAddress(one.prefix, address));
          });
          if (destination === undefined) continue;
          const [told] = explained({ ...asked, destination }).destinations;
          assert.deepEqual([told?.outcome, told?.claims], [outcome, claims]);
          compared++;
        }
      },
      { runs: 100 },
    );
    assert.ok(compared > 0 || process.env["SLUICE_FC_RUNS"] !== undefined);
  });
});
