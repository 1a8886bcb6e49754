import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Address, Family } from "../net/address.ts";
import { parseAddress, renderAddress } from "../net/address.ts";
import type { NodeState } from "../model/node.ts";
import type { GatewayEntry } from "../model/policy.ts";
import { deriveEgress } from "./egress.ts";

const STATE: NodeState = {
  name: "gw",
  interfaces: [
    device("eth0", 2, ["192.168.1.1", "2001:db8::1"]),
    device("eth1", 5, ["169.254.0.1", "192.0.2.10", "192.0.2.11", "fe80::1"], ["ens5"]),
    device("eth2", 7, []),
  ],
  defaultRoutes: [
    { family: "IPv4", interface: "eth0" },
    { family: "IPv6", interface: "eth1" },
  ],
};

describe("the egress IP", () => {
  test("of an interface is its first primary address, never a link-local one [6.1]", () => {
    assert.deepEqual(egress({ interface: "eth1" }, ["IPv4"]), ["192.0.2.10", "ifindex 5"]);
  });

  test("of an interface is found by its alternative name [6.1]", () => {
    assert.deepEqual(egress({ interface: "ens5" }, ["IPv4"]), ["192.0.2.10", "ifindex 5"]);
  });

  test("of an interface fails for all families if one is missing [6.1, 6.6]", () => {
    assert.deepEqual(egress({ interface: "eth1" }, ["IPv4", "IPv6"]), ["ifindex 5"]);
    assert.deepEqual(egress({ interface: "none" }, ["IPv4"]), ["ifindex 0"]);
  });

  test("that the policy names is used where a device owns it, with ifindex 0 [6.2, 6.6]", () => {
    assert.deepEqual(egress({ egressIP: "192.0.2.11" }, ["IPv4"]), ["192.0.2.11", "ifindex 0"]);
    assert.deepEqual(egress({ egressIP: "192.0.2.99" }, ["IPv4"]), ["ifindex 0"]);
  });

  test("of the other family comes from the same device, or that family fails alone [6.2]", () => {
    const both: Family[] = ["IPv4", "IPv6"];
    const found = egress({ egressIP: "192.168.1.1" }, both);
    assert.deepEqual(found, ["192.168.1.1", "2001:db8::1", "ifindex 0"]);
    assert.deepEqual(egress({ egressIP: "192.0.2.11" }, both), ["192.0.2.11", "ifindex 0"]);
  });

  test("of a family that is not needed is none, even when egressIP is of it [6.4]", () => {
    assert.deepEqual(egress({ egressIP: "192.168.1.1" }, ["IPv6"]), ["2001:db8::1", "ifindex 0"]);
  });

  test("without interface and egressIP follows the default route [6.3]", () => {
    assert.deepEqual(egress({}, ["IPv4"]), ["192.168.1.1", "ifindex 2"]);
    assert.deepEqual(egress({}, ["IPv6"]), ["ifindex 5"]);
  });

  test("fails where default routes differ, with the IPv4 route's ifindex [6.3, 6.6]", () => {
    assert.deepEqual(egress({}, ["IPv4", "IPv6"]), ["ifindex 2"]);
  });

  test("fails where a needed family has no default route [6.3]", () => {
    const state = { ...STATE, defaultRoutes: STATE.defaultRoutes.slice(0, 1) };
    assert.deepEqual(egress({}, ["IPv4", "IPv6"], state), ["ifindex 2"]);
    assert.deepEqual(egress({}, ["IPv4"], { ...STATE, defaultRoutes: [] }), ["ifindex 0"]);
  });

  test("is unknown, not none, where the node's state is not known [6.8]", () => {
    assert.equal(deriveEgress(entry({}), ["IPv4"], undefined), undefined);
  });

  test("that is missing comes with the reason [6.5]", () => {
    const { problem } = deriveEgress(entry({ interface: "eth2" }), ["IPv4"], STATE) ?? {};
    assert.equal(problem, "interface eth2 has no IPv4 address");
  });
});

function egress(
  written: { interface?: string; egressIP?: string },
  needed: readonly Family[],
  state: NodeState = STATE,
): string[] {
  const found = deriveEgress(entry(written), needed, state);
  assert.ok(found !== undefined);
  const { IPv4, IPv6 } = found.addresses;
  const addresses = [IPv4, IPv6].filter((one) => one !== undefined).map(renderAddress);
  return [...addresses, `ifindex ${found.ifindex}`];
}

function entry({ interface: name = "", egressIP = "" }): GatewayEntry {
  return {
    entry: 0,
    nodeSelector: [],
    egressIPText: egressIP,
    egressIP: egressIP === "" ? undefined : address(egressIP),
    interface: name,
  };
}

function device(name: string, ifindex: number, texts: string[], altNames: string[] = []) {
  return { name, ifindex, altNames, addresses: texts.map(address) };
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}
