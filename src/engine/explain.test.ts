// What an explanation says as a whole; each step has a test of its own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import { explained, GW, NODES, pod, policy } from "../../test/support/explained.ts";

const WEB_1 = pod("web-1", ["10.0.1.5"]);
const OUTSIDE = "198.51.100.7";
const DB = { podSelector: { matchLabels: { app: "db" } } };

describe("an explanation", () => {
  test("names the newer endpoint that has an address [3.7]", () => {
    const older = pod("web-1", ["10.0.1.5", "10.0.1.6"], { created: "2024-01-01T00:00:00Z" });
    const newer = pod("web-2", ["10.0.1.5"], { created: "2024-01-02T00:00:00Z" });
    const objects = [...NODES, older, newer, policy("p")];
    const { endpoint, destinations } = explained({ objects, destination: OUTSIDE });
    assert.deepEqual(
      endpoint.lost.map(({ address, to }) => [renderAddress(address), to.name]),
      [["10.0.1.5", "web-2"]],
    );
    assert.deepEqual(destinations[0]?.sources.map(renderAddress), ["10.0.1.6"]);
  });

  test("passes on the errors of refused policies [2.3]", () => {
    const refused = policy("q", { destinationCIDRs: ["everything"] });
    const { issues, policies } = explained({ objects: [...NODES, WEB_1, refused, policy("p")] });
    assert.deepEqual(issues.map(({ object }) => object), ["CiliumEgressGatewayPolicy/q"]);
    assert.deepEqual(policies.map(({ name }) => name), ["p"]);
  });

  test("without a destination explains every prefix of the selecting policies [7.3]", () => {
    const objects = [
      ...NODES,
      WEB_1,
      policy("p", { excludedCIDRs: ["10.0.1.0/25", "10.0.0.0/8", "2001:db8::/32"] }),
      policy("q", { destinationCIDRs: ["198.51.100.0/24", "0.0.0.0/0"] }),
      policy("r", { selectors: [DB], destinationCIDRs: ["203.0.113.0/24"] }),
    ];
    const told = explained({ objects }).destinations.map(({ prefix, outcome, claims }) => {
      return [renderPrefix(prefix), claims[0]?.policy, outcome.kind];
    });
    assert.deepEqual(told, [
      ["0.0.0.0/0", "p", "leaves"],
      ["10.0.0.0/8", "p", "ordinary"],
      ["10.0.1.0/25", "p", "untouched"],
      ["198.51.100.0/24", "q", "leaves"],
      ["2001:db8::/32", "p", "no-source"],
    ]);
  });

  test("judges a prefix by itself where a longer one begins at the same address [7.3]", () => {
    const narrow = { destinationCIDRs: ["198.51.0.0/24"], egressGateways: [GW("9")] };
    const wide = { destinationCIDRs: ["198.51.0.0/16"] };
    const objects = [...NODES, WEB_1, policy("narrow", narrow), policy("wide", wide)];
    const told = explained({ objects }).destinations.map(({ prefix, outcome }) => {
      return [renderPrefix(prefix), outcome.kind];
    });
    assert.deepEqual(told, [["198.51.0.0/16", "leaves"], ["198.51.0.0/24", "drop"]]);
  });

  test("says the same under both row modes [7.6]", () => {
    const objects = [...NODES, WEB_1, policy("p", { egressGateways: [GW("2"), GW("1")] })];
    const all = explained({ objects, rows: "all", destination: OUTSIDE });
    assert.deepEqual(all, explained({ objects, rows: "needed", destination: OUTSIDE }));
  });
});
