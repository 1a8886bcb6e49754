import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { endpoint } from "../../test/support/sample-plan.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import { UsageError } from "./command.ts";
import { findEndpoint } from "./find-endpoint.ts";

const CART = { ...endpoint("cart-0", "10.1.0.1", "fd00::1"), key: "uid-1" as EndpointKey };
const OTHER: Endpoint = {
  ...endpoint("cart-0", "10.1.0.2"),
  namespace: "billing",
  key: "uid-2" as EndpointKey,
};
const AGAIN = { ...endpoint("cart-0", "10.1.0.3"), key: "uid-3" as EndpointKey };
const WEB = endpoint("web-0", "10.1.0.4");

function refused(text: string, all: readonly Endpoint[]): UsageError {
  try {
    findEndpoint(text, all);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error;
  }
  return assert.fail("not refused");
}

describe("finding an endpoint", () => {
  test("takes a name, namespace/name, a UID or any of its addresses", () => {
    const all = [CART, OTHER, WEB];
    assert.equal(findEndpoint("web-0", all), WEB);
    assert.equal(findEndpoint("billing/cart-0", all), OTHER);
    assert.equal(findEndpoint("uid-1", all), CART);
    assert.equal(findEndpoint("10.1.0.2", all), OTHER);
    assert.equal(findEndpoint("FD00:0::1", all), CART);
  });

  test("lists the candidates of an ambiguous name, a re-created pod's included", () => {
    const error = refused("cart-0", [CART, OTHER, WEB]);
    assert.equal(error.message, "'cart-0' is ambiguous: 2 endpoints match");
    assert.match(error.remedy ?? "", /billing\/cart-0 {2}uid-2 .*\n {2}shop\/cart-0 {2}uid-1/);
    assert.match(refused("shop/cart-0", [CART, AGAIN]).remedy ?? "", /uid-1 .*\n.*uid-3/);
  });

  test("proposes near names for an unknown one, and says who is no endpoint", () => {
    const error = refused("crat-0", [CART, WEB]);
    assert.equal(error.message, "no endpoint 'crat-0' among 2 endpoints");
    assert.match(error.remedy ?? "", /Did you mean one of these\?\n {2}shop\/cart-0/);
    assert.match(refused("10.9.9.9", [CART]).remedy ?? "", /Host-network pods/);
  });

  test("lists eight candidates at most", () => {
    const many = Array.from({ length: 20 }, (_, i) => {
      return { ...endpoint("web", `10.1.1.${i}`), key: `uid-${i}` as EndpointKey };
    });
    assert.match(refused("web", many).remedy ?? "", /and 12 more$/);
  });
});
