import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTable } from "./nft.ts";

const table = (...objects: object[]) => parseTable(JSON.stringify({ nftables: objects }));

test("elements read as they would be written", () => {
  const interval = { name: "cluster6", type: "ipv6_addr", flags: ["interval"] };
  const { sets } = table(
    { metainfo: { version: "1.0.6" } },
    { table: { family: "inet", name: "sluice" } },
    { set: { ...interval, elem: [{ prefix: { addr: "fd00::", len: 8 } }, "::102:304"] } },
    { set: { name: "ranges", type: "ipv4_addr", elem: [{ range: ["10.0.0.1", "10.0.0.9"] }] } },
    {
      set: {
        name: "classified4",
        type: ["ifname", "ipv4_addr"],
        elem: [{ concat: ["veth1", "10.0.0.1"] }, { elem: { val: "10.0.0.2" } }],
      },
    },
    { set: { name: "empty", type: "mark" } },
  );
  assert.deepEqual([...(sets.get("cluster6")?.elements.keys() ?? [])], ["fd00::/8", "::102:304"]);
  assert.equal(sets.get("cluster6")?.interval, true);
  assert.deepEqual([...(sets.get("ranges")?.elements.keys() ?? [])], ["10.0.0.1-10.0.0.9"]);
  assert.equal(sets.get("classified4")?.keyType, "ifname . ipv4_addr");
  assert.deepEqual(
    [...(sets.get("classified4")?.elements.keys() ?? [])],
    ['"veth1" . 10.0.0.1', "10.0.0.2"],
  );
  assert.deepEqual(sets.get("empty"), {
    keyType: "mark",
    valueType: undefined,
    interval: false,
    elements: new Map(),
  });
});

test("maps have values: addresses and verdicts", () => {
  const { sets } = table(
    { map: { name: "snat4", type: "mark", map: "ipv4_addr", elem: [[1, "192.0.2.1"]] } },
    {
      map: {
        name: "keep",
        type: "mark",
        map: "verdict",
        elem: [
          [4097, { goto: { target: "keep_1001" } }],
          [3221225472, { jump: { target: "x" } }],
          [1, { drop: null }],
        ],
      },
    },
  );
  assert.deepEqual([...(sets.get("snat4")?.elements ?? [])], [["0x1", "192.0.2.1"]]);
  assert.deepEqual([...(sets.get("keep")?.elements ?? [])], [
    ["0x1001", "goto keep_1001"],
    ["0xc0000000", "jump x"],
    ["0x1", '{"drop":null}'],
  ]);
});

test("chains have hooks, or are called by others", () => {
  const hooked = { name: "decide", type: "filter", hook: "prerouting", prio: -149 };
  const { chains, counters } = table(
    { chain: hooked },
    { chain: { name: "known" } },
    { rule: { chain: "known", expr: [] } },
    { counter: { name: "Invalid", packets: 7, bytes: 420 } },
  );
  assert.deepEqual([...chains], [
    [
      "decide",
      { hook: { type: "filter", hook: "prerouting", priority: -149 }, rules: undefined },
    ],
    ["known", { hook: undefined, rules: undefined }],
  ]);
  assert.deepEqual([...counters], [["Invalid", 7]]);
});
