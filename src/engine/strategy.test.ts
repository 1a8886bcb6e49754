import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fmix32, fnv1a32 } from "../lib/hash.ts";
import { parseAddress } from "../net/address.ts";
import { present } from "../lib/assert.ts";
import type { Gateway } from "./gateway.ts";
import { compareGateways, makeGateway } from "./gateway.ts";
import { ciliumHash, ciliumOrder, rendezvousScore, rendezvousWinner } from "./strategy.ts";

const UID = "7c22952d-25a0-409d-952c-60895b5c2a90";

describe("the hash functions", () => {
  test("give the contract's vectors [5.2, 5.3]", () => {
    assert.equal(fnv1a32(""), 2166136261);
    assert.equal(fnv1a32("a"), 3826002220);
    assert.equal(fnv1a32("foobar"), 3214735720);
    assert.equal(fnv1a32(UID), 1233717323);
    assert.equal(fmix32(1), 1364076727);
    assert.equal(fmix32(0xdeadbeef), 233162409);
  });

  test("hash text beyond ASCII by its UTF-8 bytes", () => {
    const bytes = new TextEncoder().encode("größe");
    const latin = String.fromCharCode(...bytes).split("");
    const expected = latin.reduce(
      (hash, byte) => Math.imul(hash ^ byte.charCodeAt(0), 0x01000193) >>> 0,
      0x811c9dc5,
    );
    assert.equal(fnv1a32("größe"), expected);
  });
});

describe("rendezvous", () => {
  const keys = [
    gateway("gw-a", {}),
    gateway("gw-b", { egressIP: "192.0.2.11" }),
    gateway("gw-c", { interface: "eth1" }),
  ];

  test("gives the contract's scores [5.3]", () => {
    const scores = (uid: string) =>
      keys.map(({ keyHash }) => rendezvousScore(fnv1a32(uid), keyHash));
    assert.deepEqual(scores(UID), [2936848851, 1983441254, 2522617955]);
    assert.deepEqual(scores("a"), [1907060724, 2077262784, 146966949]);
    const one = "00000000-0000-0000-0000-000000000001";
    assert.deepEqual(scores(one), [310926788, 749537021, 2418576882]);
  });

  test("chooses the highest score, and the first of equal ones [5.3]", () => {
    assert.equal(rendezvousWinner(fnv1a32(UID), keys), 0);
    assert.equal(rendezvousWinner(fnv1a32("a"), keys), 1);
    const twins = [gateway("gw-a", {}), gateway("gw-a", {})];
    assert.equal(rendezvousWinner(fnv1a32(UID), twins), 0);
  });
});

describe("cilium-hash", () => {
  test("indexes gateway IPs as numbers, equal ones in the list's order [5.2]", () => {
    const gateways = [
      gateway("a", { ip: "192.168.1.10", entry: 0 }),
      gateway("b", { ip: "192.168.1.9", entry: 2 }),
      gateway("b", { ip: "192.168.1.9", entry: 1 }),
    ];
    assert.deepEqual(ciliumOrder(gateways), [2, 1, 0]);
    assert.equal(ciliumHash(fnv1a32(UID), 3), 1233717323 % 3);
  });
});

describe("the order of gateways", () => {
  test("is node, egressIP (absent first, IPv4 first, by bytes), interface [5.1]", () => {
    const sorted = [
      gateway("gw-a", {}),
      gateway("gw-a", { interface: "eth0" }),
      gateway("gw-a", { egressIP: "192.0.2.9" }),
      gateway("gw-a", { egressIP: "192.0.2.10" }),
      gateway("gw-a", { egressIP: "2001:db8::1" }),
      gateway("gw-b", {}),
    ];
    assert.deepEqual([...sorted].reverse().sort(compareGateways), sorted);
  });
});

function gateway(
  node: string,
  { egressIP = "", interface: name = "", ip = "192.168.1.1", entry = 0 },
): Gateway {
  const address = present(parseAddress(ip), "an address");
  const written = {
    entry,
    nodeSelector: [],
    egressIPText: egressIP,
    egressIP: parseAddress(egressIP),
    interface: name,
  };
  return makeGateway(written, node, address);
}
