// The numbers that the contract gives for its hash functions, and the reference on clusters that
// are small enough to work out by hand. The stories of test/scenarios hold it to many more.

import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { fmix32, fnv1a32 } from "../lib/hash.ts";
import type { ModelView } from "../model/delta.ts";
import type { Endpoint, EndpointKey } from "../model/endpoint.ts";
import { internLabels } from "../model/labels.ts";
import type { Node } from "../model/node.ts";
import type { GatewayEntry, Policy } from "../model/policy.ts";
import type { Address } from "../net/address.ts";
import { compareAddresses, parseAddress, renderAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { parsePrefix } from "../net/prefix.ts";
import type { EngineOptions } from "./options.ts";
import { reference } from "./reference.ts";

const EXAMPLE_UID = "7c22952d-25a0-409d-952c-60895b5c2a90";
const FIRST_UID = "00000000-0000-0000-0000-000000000001";
const KEYS = ["gw-a||", "gw-b|192.0.2.11|", "gw-c||eth1"];

/** Of the table in section 5, in the order of `KEYS`. */
const SCORES: Readonly<Record<string, readonly number[]>> = {
  [EXAMPLE_UID]: [2936848851, 1983441254, 2522617955],
  a: [1907060724, 2077262784, 146966949],
  [FIRST_UID]: [310926788, 749537021, 2418576882],
};

describe("hashes", () => {
  test("FNV-1a 32 has the contract's values [5.2]", () => {
    assert.equal(fnv1a32(""), 2166136261);
    assert.equal(fnv1a32("a"), 3826002220);
    assert.equal(fnv1a32("foobar"), 3214735720);
    assert.equal(fnv1a32(EXAMPLE_UID), 1233717323);
  });

  test("FNV-1a 32 hashes UTF-8 bytes [5.2]", () => {
    let hash = 2166136261n;
    for (const byte of Buffer.from("gw-ü|☃|𝄞")) {
      hash = ((hash ^ BigInt(byte)) * 16777619n) & 0xffffffffn;
    }
    assert.equal(fnv1a32("gw-ü|☃|𝄞"), Number(hash));
  });

  test("fmix32 has the contract's values [5.3]", () => {
    assert.equal(fmix32(0), 0);
    assert.equal(fmix32(1), 1364076727);
    assert.equal(fmix32(0xdeadbeef), 233162409);
  });

  test("rendezvous scores are those of the contract's table [5.3]", () => {
    for (const [uid, scores] of Object.entries(SCORES)) {
      const actual = KEYS.map((key) => fmix32((fnv1a32(uid) ^ fnv1a32(key)) >>> 0));
      assert.deepEqual(actual, scores);
    }
  });
});

function address(text: string): Address {
  return parseAddress(text) ?? assert.fail(text);
}

function prefix(text: string): Prefix {
  return parsePrefix(text) ?? assert.fail(text);
}

function endpoint(uid: string, ips: readonly string[], node = "w-1"): Endpoint {
  const labels = internLabels([["app", "web"]]);
  const addresses = ips.map(address).sort(compareAddresses);
  const key = uid as EndpointKey;
  const name = `pod-${uid}`;
  const fixed = { namespace: "default", createdAt: 0, ciliumUid: "" };
  return { ...fixed, key, name, ownLabels: labels, labels, addresses, node };
}

function node(name: string, ip: string): Node {
  const internalIPv4 = address(ip);
  const labels = internLabels([["name", name]]);
  return { name, labels, internalIPv4, addresses: [internalIPv4], podCIDRs: [] };
}

function entry(place: number, name: string, egress: Partial<GatewayEntry> = {}): GatewayEntry {
  const nodeSelector = [{ key: "name", operator: "In" as const, values: [name] }];
  const none = { egressIPText: "", egressIP: undefined, interface: "" };
  return { entry: place, nodeSelector, ...none, ...egress };
}

function policy(fields: Partial<Policy>): Policy {
  return {
    name: "p",
    createdAt: 0,
    generation: 0,
    distribution: undefined,
    rules: [{ pod: [], namespace: undefined, node: undefined }],
    destinations: [prefix("198.51.100.0/24")],
    exclusions: [],
    gateways: [entry(0, "gw-a")],
    listed: true,
    ...fields,
  };
}

function view(
  endpoints: readonly Endpoint[],
  nodes: readonly Node[],
  policies: readonly Policy[],
): ModelView {
  return {
    endpoints: new Map(endpoints.map((one) => [one.key, one])),
    nodes: new Map(nodes.map((one) => [one.name, one])),
    policies: new Map(policies.map((one) => [one.name, one])),
    states: new Map(),
    services: new Map(),
    serviceCidrs: new Map(),
    ipPools: new Map(),
  };
}

const ROUND_ROBIN: EngineOptions = { distribution: "round-robin", scope: undefined };
const GW_A = node("gw-a", "192.168.1.1");
const GW_B = node("gw-b", "192.168.1.2");
const GW_C = node("gw-c", "192.168.1.3");

describe("reference", () => {
  test("deals endpoints in address order to gateways in node order [5.1, 5.4]", () => {
    const endpoints = [
      endpoint("1", ["fd00::1"]),
      endpoint("2", ["10.0.0.10"]),
      endpoint("3", ["10.0.0.9", "fd00::9"]),
    ];
    const gateways = [entry(0, "gw-b"), entry(1, "gw-a")];
    const { assignments } = reference(
      view(endpoints, [GW_B, GW_A], [policy({ gateways })]),
      ROUND_ROBIN,
    );
    assert.deepEqual(
      assignments.map((one) => [one.endpoint, one.gateway?.node]),
      [
        ["3", "gw-a"],
        ["2", "gw-b"],
        ["1", "gw-a"],
      ],
    );
  });

  test("gives each endpoint to its highest score [5.3]", () => {
    const gateways = [
      entry(0, "gw-a"),
      entry(1, "gw-b", { egressIPText: "192.0.2.11", egressIP: address("192.0.2.11") }),
      entry(2, "gw-c", { interface: "eth1" }),
    ];
    const endpoints = Object.keys(SCORES).map((uid, i) => endpoint(uid, [`10.0.0.${i}`]));
    const { assignments } = reference(
      view(endpoints, [GW_A, GW_B, GW_C], [policy({ gateways, distribution: "rendezvous" })]),
      ROUND_ROBIN,
    );
    const chosen = new Map(assignments.map((one) => [one.endpoint, one.gateway?.entry.entry]));
    for (const [uid, scores] of Object.entries(SCORES)) {
      assert.equal(chosen.get(uid as EndpointKey), scores.indexOf(Math.max(...scores)));
    }
  });

  test("holds needed rows only, the older policy's where prefixes are identical [7.3, 7.6]", () => {
    const endpoints = [endpoint("1", ["10.0.0.1"]), endpoint("2", ["10.0.0.2"], "w-2")];
    const older = policy({ name: "z", createdAt: 1 });
    const younger = policy({
      name: "a",
      createdAt: 2,
      destinations: [prefix("198.51.100.0/24"), prefix("203.0.113.0/24")],
      gateways: [entry(0, "gw-b")],
    });
    const rowsOn = (name: string): string[] => {
      const scope = { node: name, rows: "needed" as const };
      const all = view(endpoints, [GW_A, GW_B], [younger, older]);
      const { rows } = reference(all, { ...ROUND_ROBIN, scope });
      return rows.map((row) => {
        const egress = row.egressIP === null ? "unknown" : renderAddress(row.egressIP);
        return `${renderAddress(row.source)} ${row.policy} ${egress}`;
      });
    };
    assert.deepEqual(rowsOn("w-1"), ["10.0.0.1 z 0.0.0.0", "10.0.0.1 a 0.0.0.0"]);
    assert.deepEqual(rowsOn("gw-a"), ["10.0.0.1 z unknown", "10.0.0.2 z unknown"]);
    assert.deepEqual(rowsOn("gw-b"), ["10.0.0.1 a unknown", "10.0.0.2 a unknown"]);
    assert.deepEqual(rowsOn("gw-c"), []);
  });
});
