// Marks as the tools really print them: nft 1.0.6, iptables 1.8.9 (nf_tables), iproute2 6.1.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { iptablesMarkUses, nftMarkUses, ruleMarkUses } from "./mark-uses.ts";
import { ruleOf } from "./network-facts.ts";

const META = { meta: { key: "mark" } };
const CT = { ct: { key: "mark" } };
const WHOLE = 0xffffffff;

/** How the rule `expr` uses marks. */
function usesOf(expr: readonly unknown[], table = "t") {
  const rule = { family: "inet", table, chain: "c", handle: 2, expr };
  const uses = nftMarkUses([{ metainfo: {} }, { rule }], { own: "sluice", saved: false });
  return uses.map(({ how, value, mask }) => [how, value, mask]);
}

describe("uses of marks", () => {
  test("are read from nft's matches", () => {
    const match = (left: unknown, right: unknown) => usesOf([{ match: { op: "==", left, right } }]);
    assert.deepEqual(match({ "&": [META, 255] }, 128), [["matches", 128, 255]]);
    assert.deepEqual(match(CT, 512), [["matches", 512, WHOLE]]);
    assert.deepEqual(match(META, { set: [1, 2] }), [["matches", 1, WHOLE], ["matches", 2, WHOLE]]);
    assert.deepEqual(match(CT, { prefix: { addr: 0, len: 16 } }), [["matches", 0, 0xffff0000]]);
    assert.deepEqual(match(META, { range: [5, 9] }), [["matches", 13, WHOLE]]);
    assert.deepEqual(match({ meta: { key: "iifname" } }, "eth0"), []);
  });

  test("are read from nft's statements", () => {
    const set = (value: unknown, key: unknown = META) => usesOf([{ mangle: { key, value } }]);
    assert.deepEqual(set(512, CT), [["sets", 512, WHOLE]]);
    assert.deepEqual(set({ "|": [META, 256] }), [["sets", 256, 256]]);
    const masked = { "|": [{ "&": [META, 0xffffff05] }, 5] };
    assert.deepEqual(set(masked), [["sets", 5, 0xff]]);
    assert.deepEqual(set({ "&": [META, 0xfffffff0] }), [["sets", 0, 0xf]]);
    assert.deepEqual(set(CT), [["sets", 0, WHOLE]]);
    assert.deepEqual(set(1, { payload: { protocol: "ip", field: "dscp" } }), []);
  });

  test("in our own table are no uses by others", () => {
    const expr = [{ mangle: { key: META, value: 1 } }];
    assert.deepEqual(usesOf(expr, "sluice"), []);
    assert.equal(usesOf(expr, "other").length, 1);
  });

  test("are read from iptables-save", () => {
    const saved = `*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m mark --mark 0x4000/0x4000 -j MARK --set-xmark 0x80/0x80
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A PREROUTING -m comment --comment "a mark" -j MARK --set-xmark 0x7/0xffffffff
-A OUTPUT -m connmark --mark 0x10 -j ACCEPT
COMMIT
`;
    const uses = iptablesMarkUses(saved).map(({ how, value, mask }) => [how, value, mask]);
    assert.deepEqual(uses, [
      ["matches", 0x4000, 0x4000],
      ["sets", 0x80, 0x80],
      ["sets", 0, 0xff],
      ["sets", 7, WHOLE],
      ["matches", 0x10, WHOLE],
    ]);
  });

  test("are read from routing rules", () => {
    const plain = { priority: 0, src: "all", table: "local" };
    const rules = [
      plain,
      { priority: 100, src: "all", fwmark: "0x100", table: "101" },
      { priority: 101, src: "all", fwmark: "0x80", fwmask: "0x80", table: "100" },
    ].map(ruleOf);
    assert.deepEqual(rules.map(({ always }) => always), [true, false, false]);
    assert.deepEqual(ruleMarkUses(rules), [
      { where: "ip rule 100", how: "matches", value: 0x100, mask: WHOLE },
      { where: "ip rule 101", how: "matches", value: 0x80, mask: 0x80 },
    ]);
  });
});
