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

function refused(
  text: string,
  all: readonly Endpoint[],
  others: readonly Endpoint[] = [],
): UsageError {
  try {
    findEndpoint(text, all, others);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error;
  }
  return assert.fail("not refused");
}

describe("finding an endpoint", () => {
  test("takes a name, namespace/name, a UID or any of its addresses", () => {
    const all = [CART, OTHER, WEB];
    assert.equal(findEndpoint("web-0", all, []), WEB);
    assert.equal(findEndpoint("billing/cart-0", all, []), OTHER);
    assert.equal(findEndpoint("uid-1", all, []), CART);
    assert.equal(findEndpoint("10.1.0.2", all, []), OTHER);
    assert.equal(findEndpoint("FD00:0::1", all, []), CART);
  });

  test("lists the candidates of an ambiguous name, a re-created pod's included", () => {
    const error = refused("cart-0", [CART, OTHER, WEB]);
    assert.equal(error.message, "'cart-0' is ambiguous: 2 endpoints match");
    assert.match(error.remedy ?? "", /billing\/cart-0 {2}uid-2 .*\n {2}shop\/cart-0 {2}uid-1/);
    assert.match(error.remedy ?? "", /^Give the namespace\/name of one of them:\n/);
    const again = refused("shop/cart-0", [CART, AGAIN]);
    assert.match(again.remedy ?? "", /^Give the UID of one of them:\n.*uid-1 .*\n.*uid-3/);
  });

  test("proposes near names for an unknown one, and says who is no endpoint", () => {
    const error = refused("crat-0", [CART, WEB]);
    assert.equal(error.message, "no endpoint 'crat-0' among 2 endpoints");
    assert.match(error.remedy ?? "", /Did you mean one of these\?\n {2}shop\/cart-0/);
    assert.match(refused("10.9.9.9", [CART]).remedy ?? "", /Host-network pods/);
  });

  test("says why a pod is no endpoint, before it proposes others [3.2, 3.5]", () => {
    const bare = endpoint("web-1");
    const reason = "it has no address, is finished or is on the host's network [3.5]";
    const problem = "pod shop/web-1 is no endpoint, so no policy concerns it";
    for (const text of ["web-1", "shop/web-1"]) {
      assert.equal(refused(text, [CART, WEB], [bare]).message, `${problem}: ${reason}`);
    }
    const held = endpoint("web-1", "10.1.0.5");
    const { message } = refused("10.1.0.5", [WEB], [held]);
    assert.match(message, /: the identity of its CiliumEndpoint is not known \[3\.2\]$/);
    assert.equal(findEndpoint("cart-0", [CART], [{ ...bare, name: "cart-0" }]), CART);
  });

  test("lists eight candidates at most", () => {
    const many = Array.from({ length: 20 }, (_, i) => {
      return { ...endpoint("web", `10.1.1.${i}`), key: `uid-${i}` as EndpointKey };
    });
    assert.match(refused("web", many).remedy ?? "", /and 12 more$/);
  });
});
