// Addresses, prefixes and longest-prefix match, against definitions that are too slow to be wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import type { Address } from "../../src/net/address.ts";
import { compareAddresses, familyOf, parseAddress, renderAddress } from "../../src/net/address.ts";
import { LpmTable } from "../../src/net/lpm.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import {
  comparePrefixes,
  containsAddress,
  containsPrefix,
  parsePrefix,
  prefixAddress,
  prefixLength,
  prefixOf,
  renderPrefix,
} from "../../src/net/prefix.ts";
import { check } from "./check.ts";

/** Few different bytes, so that addresses share long prefixes. */
const byte = fc.oneof(fc.constantFrom(0, 1, 128, 255), fc.nat(255));

const address: fc.Arbitrary<Address> = fc
  .oneof(
    fc.array(byte, { minLength: 4, maxLength: 4 }),
    fc.array(byte, { minLength: 16, maxLength: 16 }),
  )
  .map((bytes) => String.fromCharCode(...bytes) as Address);

const prefix: fc.Arbitrary<Prefix> = fc.tuple(address, fc.nat(128)).map(([one, length]) => {
  return prefixOf(one, length % (one.length * 8 + 1));
});

/** As a string of zeros and ones. */
function bits(one: Address): string {
  return [...one].map((char) => char.charCodeAt(0).toString(2).padStart(8, "0")).join("");
}

function covers(one: Prefix, of: Address): boolean {
  const network = prefixAddress(one);
  const [a, b] = [network, of].map((address) => bits(address).slice(0, prefixLength(one)));
  return network.length === of.length && a === b;
}

test("an address reads as it is written, and as Node's own parser sees it", (t) => {
  check(
    t,
    address,
    (one) => {
      const text = renderAddress(one);
      assert.equal(parseAddress(text), one);
      assert.equal(parseAddress(text.toUpperCase()), one);
      assert.ok(familyOf(one) === "IPv4" ? isIPv4(text) : isIPv6(text), text);
    },
    { runs: 2000 },
  );
});

test("text is an address where Node's own parser says so", (t) => {
  const text = fc.oneof(
    fc.array(fc.constantFrom("0", "1", "00", "255", "256", "a", "ffff", "", ".", ":"), {
      maxLength: 9,
    }).map((parts) => parts.join(":")),
    fc.array(fc.constantFrom("0", "1", "01", "255", "256", ""), { maxLength: 5 })
      .map((parts) => parts.join(".")),
    fc.string({ unit: fc.constantFrom("0", "1", "f", ":", ".", "/", "%"), maxLength: 12 }),
    fc.ipV4(),
    fc.ipV6(),
  );
  check(
    t,
    text.filter((one) => !one.includes("%")),
    (one) => assert.equal(parseAddress(one) !== undefined, isIPv4(one) || isIPv6(one), one),
    { runs: 5000 },
  );
});

test("a prefix reads as it is written, and its host bits are masked [2.2]", (t) => {
  check(
    t,
    fc.tuple(address, fc.nat(128)),
    ([one, nat]) => {
      const length = nat % (one.length * 8 + 1);
      const read = parsePrefix(`${renderAddress(one)}/${length}`);
      assert.ok(read !== undefined);
      assert.equal(read, prefixOf(one, length));
      assert.equal(parsePrefix(renderPrefix(read)), read);
      assert.equal(prefixLength(read), length);
      const network = bits(one).slice(0, length).padEnd(one.length * 8, "0");
      assert.equal(bits(prefixAddress(read)), network);
    },
    { runs: 2000 },
  );
});

test("addresses order by family, then bytes; prefixes also by length [5.4]", (t) => {
  check(
    t,
    fc.tuple(prefix, prefix),
    ([a, b]) => {
      const text = (one: Prefix): string =>
        `${prefixAddress(one).length === 4 ? 4 : 6}${bits(prefixAddress(one))}`;
      const expected = text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0;
      assert.equal(Math.sign(compareAddresses(prefixAddress(a), prefixAddress(b))), expected);
      const byLength = Math.sign(prefixLength(a) - prefixLength(b));
      assert.equal(Math.sign(comparePrefixes(a, b)), expected || byLength);
    },
    { runs: 2000 },
  );
});

test("the longest prefix is the one that a linear scan finds [7.1, 7.3]", (t) => {
  check(
    t,
    fc.tuple(fc.array(prefix, { maxLength: 20 }), fc.array(address, { maxLength: 5 })),
    ([prefixes, others]) => {
      const table = new LpmTable<string>();
      for (const one of prefixes) table.set(one, renderPrefix(one));
      for (const of of [...prefixes.map(prefixAddress), ...others]) {
        const covering = [...new Set(prefixes)]
          .filter((one) => covers(one, of))
          .sort((a, b) => prefixLength(b) - prefixLength(a));
        assert.deepEqual(table.covering(of).map((hit) => hit.prefix), covering);
        const longest = covering[0];
        const hit = longest && { prefix: longest, value: renderPrefix(longest) };
        assert.deepEqual(table.lookup(of), hit);
        for (const one of prefixes) assert.equal(containsAddress(one, of), covers(one, of));
      }
      for (const a of prefixes) {
        for (const b of prefixes) {
          const inside = covers(a, prefixAddress(b)) && prefixLength(a) <= prefixLength(b);
          assert.equal(containsPrefix(a, b), inside);
        }
      }
    },
    { runs: 1000 },
  );
});
