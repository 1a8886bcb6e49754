// Nothing that YAML or JSON can say makes the parser throw, and nothing is refused in silence.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { familyOf, parseAddress, renderAddress } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import { comparePrefixes, parsePrefix, renderPrefix } from "../../net/prefix.ts";
import type { Issue } from "../issue.ts";
import { ISSUE_CODES } from "../issue.ts";
import { internLabels } from "../labels.ts";
import type { ObjectChange } from "../objects.ts";
import { NEWEST } from "../policy.ts";
import type { Selector } from "../selector.ts";
import { compareRequirements } from "../selector.ts";
import { parseObject } from "./object.ts";
import type { Raw } from "./valid-objects.test.ts";
import { validObject } from "./valid-objects.test.ts";

/** What stands in the place of something valid. */
const anyValue = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
  }),
  fc.constantFrom<unknown>(
    null, undefined, "", " ", 0, -1, NaN, Infinity, true, "10.0.0.1", "10.0.0.0/33", "::/0",
    "__proto__", "x".repeat(300), {}, [], [[]], [null], { matchLabels: { a: 1 } },
    JSON.parse('{"__proto__": {"spec": 1}, "constructor": 2}'),
  ),
);

function cyclic(): Raw {
  const raw: Raw = { apiVersion: "v1", kind: "Pod" };
  return Object.assign(raw, { metadata: raw, spec: raw, status: { podIPs: [raw] }, name: raw });
}

type Container = Record<string | number, unknown>;

/** Every mapping and list inside, with each of its keys. */
function placesIn(value: unknown, found: [Container, string][] = []): [Container, string][] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return found;
  for (const key of Object.keys(value)) {
    found.push([value as Container, key]);
    placesIn((value as Container)[key], found);
  }
  return found;
}

/** A valid object with up to three things in it replaced, removed or renamed. */
const spoiledObject = fc
  .tuple(
    validObject,
    fc.array(
      fc.record({
        place: fc.nat(),
        action: fc.constantFrom("replace", "remove", "rename"),
        value: anyValue,
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([valid, changes]) => {
    const raw = structuredClone(valid);
    for (const { place, action, value } of changes) {
      const places = placesIn(raw);
      const [container, key] = places[place % Math.max(1, places.length)] ?? [raw, "kind"];
      if (action === "replace") container[key] = structuredClone(value);
      else if (action === "remove") delete container[key];
      else container[`${key}s`] = container[key];
    }
    return raw;
  });

function checkIssues(issues: readonly Issue[], object: RegExp): void {
  for (const { code, severity, message, path, object: name } of issues) {
    assert.equal(severity, ISSUE_CODES[code].severity);
    assert.notEqual(message, "");
    // What somebody wrote stands in quotes, and may look like anything.
    assert.doesNotMatch(message.replace(/"([^"\\]|\\.)*"/g, ""), /\[\d+\]/);
    assert.match(name, object);
    assert.equal(typeof path, "string");
  }
}

function checkParsed(raw: unknown): void {
  const parsed = parseObject(raw);
  switch (parsed.kind) {
    case "object":
      checkIssues(parsed.change.issues, new RegExp(`^${parsed.change.kind}/`));
      assert.equal(
        parsed.change.refused,
        parsed.change.issues.some(({ severity }) => severity === "error"),
      );
      assert.equal(parsed.change.value === undefined, parsed.change.refused);
      return checkValue(parsed.change);
    case "list":
      return assert.ok(Array.isArray(parsed.items));
    case "other":
      return assert.equal(typeof parsed.name, "string");
    case "invalid":
      assert.ok(parsed.issues.length > 0);
      return checkIssues(parsed.issues, /^$/);
  }
}

function checkValue(change: ObjectChange): void {
  if (change.value === undefined) return;
  assert.notEqual(change.key, "");
  switch (change.kind) {
    case "Pod":
      assert.equal(change.value.key, change.key);
      assert.equal(typeof change.value.node, "string");
      checkTime(change.value.createdAt);
      checkLabels(change.value.labels);
      return checkAddresses(change.value.addresses);
    case "CiliumEndpoint":
      assert.equal(change.value.uid, change.key);
      assert.match(change.value.identity, /^-?\d*$/);
      checkTime(change.value.createdAt);
      return checkAddresses(change.value.addresses);
    case "Namespace":
    case "CiliumIdentity":
      return checkLabels(change.value);
    case "Node":
    case "CiliumNode": {
      const { internalIPv4, addresses, podCIDRs, labels } = change.value;
      if (internalIPv4 !== undefined) assert.equal(familyOf(internalIPv4), "IPv4");
      checkLabels(labels);
      checkPrefixes(podCIDRs);
      return checkAddresses(addresses);
    }
    case "IPPool":
    case "ServiceCIDR":
      assert.ok(change.value.length > 0);
      return checkPrefixes(change.value);
    case "Service":
      return checkAddresses(change.value.addresses);
    case "NodeState":
      for (const { ifindex, name } of change.value.interfaces) {
        assert.ok(Number.isInteger(ifindex) && ifindex > 0);
        assert.notEqual(name, "");
      }
      return;
    case "CiliumEgressGatewayPolicy": {
      const { rules, destinations, exclusions, gateways, createdAt } = change.value;
      checkTime(createdAt);
      checkPrefixes(destinations);
      checkPrefixes(exclusions);
      assert.ok(destinations.length > 0 && gateways.length > 0 && gateways.length <= 64);
      for (const { pod, namespace, node } of rules) {
        assert.ok(pod !== undefined || namespace !== undefined);
        for (const selector of [pod, namespace, node]) checkSelector(selector ?? []);
      }
      for (const [i, gateway] of gateways.entries()) {
        assert.equal(gateway.entry, i);
        assert.ok(gateway.interface === "" || gateway.egressIPText === "");
        assert.equal(gateway.egressIP, parseAddress(gateway.egressIPText));
        checkSelector(gateway.nodeSelector);
      }
    }
  }
}

function checkTime(time: number): void {
  assert.ok(Number.isInteger(time) && time <= NEWEST);
}

function checkLabels(labels: readonly string[]): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
  for (const text of labels) assert.equal(typeof text, "string");
  assert.equal(internLabels(pairs), labels);
}

function checkAddresses(addresses: readonly Parameters<typeof renderAddress>[0][]): void {
  const sorted = [...new Set(addresses)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  assert.deepEqual(addresses, sorted);
  for (const address of addresses) assert.equal(parseAddress(renderAddress(address)), address);
}

function checkPrefixes(prefixes: readonly Prefix[]): void {
  assert.deepEqual(prefixes, [...new Set(prefixes)].sort(comparePrefixes));
  for (const prefix of prefixes) assert.equal(parsePrefix(renderPrefix(prefix)), prefix);
}

function checkSelector(selector: Selector): void {
  assert.deepEqual(selector, [...selector].sort(compareRequirements));
  for (const { operator, values } of selector) {
    assert.deepEqual(values, [...new Set(values)].sort());
    assert.equal(values.length > 0, operator === "In" || operator === "NotIn");
  }
}

describe("parsing any value", () => {
  test("never throws, and refuses nothing without an error that says where [2]", () => {
    fc.assert(fc.property(anyValue, checkParsed), { numRuns: 500 });
  });

  test("never throws on objects of our kinds made of anything [2]", () => {
    const kinds = fc.constantFrom("Pod", "Node", "Namespace", "List", "PodList", "constructor");
    const fields = fc.dictionary(fc.constantFrom("metadata", "spec", "status", "items"), anyValue);
    const raw = fc.tuple(kinds, fields).map(([kind, rest]) => {
      return { apiVersion: "v1", kind, ...rest };
    });
    fc.assert(fc.property(raw, checkParsed), { numRuns: 500 });
  });

  test("gives canonical values or an error for valid objects that were spoiled [2.1, 2.2]", () => {
    fc.assert(fc.property(spoiledObject, checkParsed), { numRuns: 2000 });
  });

  test("survives values that contain themselves", () => checkParsed(cyclic()));

  test("survives very long lists", () => {
    const egressGateways = new Array<unknown>(100_000).fill(null);
    const kind = { apiVersion: "cilium.io/v2", kind: "CiliumEgressGatewayPolicy" };
    checkParsed({ ...kind, metadata: { name: "p" }, spec: { egressGateways } });
  });
});
