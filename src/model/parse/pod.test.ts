import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../net/address.ts";
import { renderLabels } from "../labels.ts";
import type { ObjectChange, Pod } from "../objects.ts";
import { NEWEST } from "../policy.ts";
import { parseObject } from "./object.ts";

type Raw = Record<string, unknown>;

const UID = "7c22952d-25a0-409d-952c-60895b5c2a90";

function parse(rest: Raw): ObjectChange {
  const parsed = parseObject({ apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, ...rest });
  assert.equal(parsed.kind, "object");
  return parsed.change;
}

function accepted(rest: Raw): Pod {
  const { issues, value } = parse(rest);
  assert.deepEqual(issues, []);
  return value as Pod;
}

describe("a Pod", () => {
  test("is an endpoint with its UID, labels, node and addresses [3.1]", () => {
    const value = accepted({
      metadata: {
        name: "web-1",
        namespace: "shop",
        uid: UID,
        labels: { tier: "front", app: "web" },
        creationTimestamp: "2024-05-01T12:00:00+02:00",
      },
      spec: { nodeName: "n1" },
      status: {
        phase: "Running",
        podIP: "10.0.0.5",
        podIPs: [{ ip: "fd00::5" }, { ip: "10.0.0.5" }],
      },
    });
    assert.deepEqual({ ...value, labels: renderLabels(value.labels) }, {
      key: UID,
      namespace: "shop",
      name: "web-1",
      labels: "app=web,tier=front",
      addresses: [parseAddress("10.0.0.5"), parseAddress("fd00::5")],
      node: "n1",
      createdAt: Date.UTC(2024, 4, 1, 10) / 1000,
    });
  });

  test("without UID, namespace and creationTimestamp is default/NAME and newest [3.6]", () => {
    const value = accepted({});
    assert.equal(value.key, "default/web");
    assert.equal(value.createdAt, NEWEST);
    assert.equal(value.node, "");
  });

  test("is no endpoint on the host's network, finished, or without an address [3.5]", () => {
    const status = { podIP: "10.0.0.5" };
    const addresses = (rest: Raw) => accepted(rest).addresses.length;
    assert.equal(addresses({ status }), 1);
    assert.equal(addresses({ status, spec: { hostNetwork: true } }), 0);
    assert.equal(addresses({ status: { ...status, phase: "Succeeded" } }), 0);
    assert.equal(addresses({ status: { ...status, phase: "Failed" } }), 0);
    assert.equal(addresses({ status: { phase: "Pending", podIP: "" } }), 0);
  });

  test("shares its label set with others that write it in another order", () => {
    const labels = (one: Raw) => accepted({ metadata: { name: "a", labels: one } }).labels;
    assert.equal(labels({ a: "1", b: "2" }), labels({ b: "2", a: "1" }));
    assert.notEqual(labels({ a: "1" }), labels({ a: "2" }));
  });

  test("is refused for what it says wrongly, under its own name", () => {
    const { refused, issues } = parse({
      metadata: { name: "web", labels: { version: 1 }, creationTimestamp: "yesterday" },
      status: { podIP: "10.0.0", podIPs: "10.0.0.1" },
    });
    assert.equal(refused, true);
    assert.deepEqual(issues.map(({ code, path }) => `${code} ${path}`).sort(), [
      "InvalidAddress status.podIP",
      "InvalidField metadata.creationTimestamp",
      "InvalidField metadata.labels.version",
      "InvalidField status.podIPs",
    ]);
    assert.equal(issues[0]?.object, "Pod/default/web");
  });
});
