// Proves the codec of the policy maps against bytes written by hand, and against itself.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { present } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import { familyOf, parseAddress } from "../net/address.ts";
import { bitsOf, parsePrefix, prefixOf } from "../net/prefix.ts";
import { decodeRows, encodeRows, MAP_LAYOUTS, maskKeys } from "./map-layout.ts";
import type { Row } from "./row.ts";

const { v4, v4_v2, v6 } = MAP_LAYOUTS;

const address = (text: string) => present(parseAddress(text), text);

const ROW: Row = {
  source: address("10.0.1.5"),
  destination: present(parsePrefix("203.0.113.0/24"), "prefix"),
  egressIP: address("192.0.2.10"),
  gatewayIP: address("192.168.1.1"),
  ifindex: 0x01020304,
  policy: "policy",
};

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a row as bytes", () => {
  test("is Cilium's in both IPv4 maps [7.5]", () => {
    const key = "38000000" + "0a000105" + "cb007100";
    assert.equal(hex(encodeRows(v4, [ROW]).keys), key);
    assert.equal(hex(encodeRows(v4_v2, [ROW]).keys), key);
    assert.equal(hex(encodeRows(v4, [ROW]).values), "c000020a" + "c0a80101");
    const rest = "00".repeat(12) + "04030201" + "00000000";
    assert.equal(hex(encodeRows(v4_v2, [ROW]).values), "c000020a" + "c0a80101" + rest);
  });

  test("needs an egress IP that is known [6.8]", () => {
    assert.throws(() => encodeRows(v4_v2, [{ ...ROW, egressIP: null }]), /assertion failed/);
    assert.throws(() => encodeRows(v4_v2, [{ ...ROW, ifindex: null }]), /assertion failed/);
  });

  test("goes into the maps of its family only [7.1]", () => {
    assert.equal(encodeRows(v6, [ROW]).count, 0);
  });

  test("is read back as it was, however many there are [7.5]", () => {
    const ipOf = (bytes: number[]) => String.fromCharCode(...bytes) as Address;
    const ip = (size: 4 | 16) =>
      fc.array(fc.integer({ min: 0, max: 255 }), { minLength: size, maxLength: size }).map(ipOf);
    const rowOf = (size: 4 | 16) =>
      fc.record({
        source: ip(size),
        destination: fc
          .tuple(ip(size), fc.integer({ min: 0, max: size * 8 }))
          .map(([one, length]) => prefixOf(one, length)),
        egressIP: ip(size),
        gatewayIP: ip(4),
        ifindex: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        policy: fc.constant("policy"),
      });
    for (const layout of [v4_v2, v6]) {
      const rows = fc.array(rowOf(layout.family === "IPv4" ? 4 : 16), { maxLength: 50 });
      fc.assert(
        fc.property(rows, fc.boolean(), (few, grown) => {
          const given = grown ? new Array<Row[]>(60).fill(few).flat() : few;
          const read = [...decodeRows(layout, encodeRows(layout, given))];
          const wanted = given.map(({ source, policy: _, ...rest }) => {
            return { source: prefixOf(source, bitsOf(familyOf(source))), ...rest };
          });
          assert.deepEqual(read, wanted);
        }),
        { numRuns: 50 },
      );
    }
  });
});

test("keys are compared without the bits behind their length [2.2]", () => {
  const masked = encodeRows(v4, [ROW, { ...ROW, destination: prefixOf(ROW.source, 11) }]);
  const keys = masked.keys.slice();
  keys[11] = 99;
  keys.set([0x1f, 1, 2], 12 + 9);
  const entries = { ...masked, keys };
  assert.notEqual(hex(keys), hex(masked.keys));
  maskKeys(v4, entries);
  assert.equal(hex(keys), hex(masked.keys));
});
