import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../net/address.ts";
import type { ObjectChange } from "../objects.ts";
import { parseObject } from "./object.ts";

function parse(status: unknown): ObjectChange {
  const parsed = parseObject({
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name: "k8s1" },
    status,
  });
  assert.equal(parsed.kind, "object");
  return parsed.change;
}

/** The issues, as `code path`. */
function problems(status: unknown): string[] {
  return parse(status).issues.map(({ code, path }) => `${code} ${path}`);
}

describe("a NodeState", () => {
  test("has interfaces and routes in the kernel's order [6.8]", () => {
    const addresses = ["192.168.101.9/24", "192.168.101.1", "2001:db8:101::1/64"];
    const { issues, value } = parse({
      interfaces: [{ name: "eth1", ifindex: 5, altNames: ["ens5"], addresses }],
      defaultRoutes: [{ family: "IPv4", interface: "eth1" }],
    });
    assert.deepEqual(issues, []);
    assert.deepEqual(value, {
      name: "k8s1",
      interfaces: [
        {
          name: "eth1",
          ifindex: 5,
          altNames: ["ens5"],
          addresses: ["192.168.101.9", "192.168.101.1", "2001:db8:101::1"].map(parseAddress),
        },
      ],
      defaultRoutes: [{ family: "IPv4", interface: "eth1" }],
    });
  });

  test("that knows nothing is refused, so that unknown does not pass for none [6.8]", () => {
    assert.deepEqual(problems(null), ["MissingField status"]);
    assert.deepEqual(parse({}).value, { name: "k8s1", interfaces: [], defaultRoutes: [] });
  });

  test("is refused for bad interfaces and routes", () => {
    const status = {
      interfaces: [
        { name: "", ifindex: 0, addresses: ["x/24"] },
        { name: "a" },
        { name: "b", ifindex: 1.5 },
      ],
      defaultRoutes: [{ family: "ipv4", interface: "a" }, { family: 4, interface: "a" }, {}],
    };
    assert.deepEqual(problems(status), [
      "MissingField status.interfaces[0].name",
      "InvalidField status.interfaces[0].ifindex",
      "InvalidAddress status.interfaces[0].addresses[0]",
      "MissingField status.interfaces[1].ifindex",
      "InvalidField status.interfaces[2].ifindex",
      "InvalidField status.defaultRoutes[0].family",
      "InvalidField status.defaultRoutes[1].family",
      "MissingField status.defaultRoutes[2].interface",
      "InvalidField status.defaultRoutes[2].family",
    ]);
  });
});
