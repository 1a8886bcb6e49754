// Who fits into a map, and in which order.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EndpointKey } from "../model/endpoint.ts";
import { NEWEST } from "../model/policy.ts";
import type { RowDemand } from "./admission.ts";
import { admit } from "./admission.ts";

const OLD = { name: "old", createdAt: 100 };
const YOUNG = { name: "young", createdAt: 200 };

function demand(key: string, policy: RowDemand["policy"], v4: number, v6 = 0): RowDemand {
  return { endpoint: key as EndpointKey, policy, rowsIPv4: v4, rowsIPv6: v6 };
}

function held(demands: readonly RowDemand[], mapSize: number): string[] {
  return admit(demands, mapSize).held.map(({ endpoint }) => endpoint);
}

describe("admission to a policy map", () => {
  test("admits everybody while all rows fit exactly [7.9]", () => {
    const demands = [demand("a", OLD, 3), demand("b", YOUNG, 2, 5)];
    assert.deepEqual(admit(demands, 5), { held: [], rowsIPv4: 5, rowsIPv6: 5 });
    assert.deepEqual(held(demands, 4), ["b"]);
  });

  test("admits the endpoints of older policies first, whatever their order [7.9]", () => {
    const demands = [demand("a", YOUNG, 2), demand("z", OLD, 2)];
    assert.deepEqual(held(demands, 3), ["a"]);
    assert.deepEqual(held(demands.toReversed(), 3), ["a"]);
  });

  test("orders policies of one age by name, then endpoints by UID, as bytes [7.9]", () => {
    const other = { name: "B", createdAt: OLD.createdAt };
    const demands = [demand("a", OLD, 1), demand("é", other, 1), demand("z", other, 1)];
    assert.deepEqual(held(demands, 1), ["é", "a"]);
  });

  test("takes a policy without age for the newest [3.6, 7.9]", () => {
    const ageless = { name: "a", createdAt: NEWEST };
    assert.deepEqual(held([demand("a", ageless, 1), demand("b", YOUNG, 1)], 1), ["a"]);
  });

  test("holds whole endpoints and still tries smaller ones behind them [7.9]", () => {
    const demands = [demand("a", OLD, 3), demand("b", OLD, 4), demand("c", OLD, 2)];
    const admission = admit(demands, 5);
    assert.deepEqual(admission, { held: [demands[1]], rowsIPv4: 5, rowsIPv6: 0 });
  });

  test("holds an endpoint that one family has no room for, in both families [7.9]", () => {
    const demands = [demand("a", OLD, 1, 6), demand("b", OLD, 1, 5)];
    assert.deepEqual(admit(demands, 5), { held: [demands[0]], rowsIPv4: 1, rowsIPv6: 5 });
  });

  test("counts each family's map on its own [7.9]", () => {
    assert.deepEqual(held([demand("a", OLD, 5, 0), demand("b", OLD, 0, 5)], 5), []);
  });

  test("holds everybody who wants anything when there is no room at all [7.9]", () => {
    assert.deepEqual(held([demand("a", OLD, 1), demand("b", OLD, 0)], 0), ["a"]);
  });
});
