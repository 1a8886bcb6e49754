import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { InputError } from "./input-error.ts";
import { JsonItems } from "./json-items.ts";
import type { ValueSink } from "./value-sink.ts";

/** What a reader delivered, in order. */
type Delivered = [what: "value" | "item" | "list", value: unknown, line: number];

function recorder(split = true): { sink: ValueSink; delivered: Delivered[] } {
  const delivered: Delivered[] = [];
  const sink: ValueSink = {
    value: (value, line) => delivered.push(["value", value, line]),
    beginList: () => split,
    item: (value, line) => delivered.push(["item", value, line]),
    endList: (head, line) => delivered.push(["list", head, line]),
  };
  return { sink, delivered };
}

/** Reads `text` in chunks of `size` bytes; what is no JSON comes back as `other`. */
function read(text: string, { size = 1 << 20, split = true } = {}) {
  const { sink, delivered } = recorder(split);
  let other: { rest: string; line: number } | undefined;
  const reader = new JsonItems({ file: "f.json", line: 1 }, sink, (rest, line) => {
    other = { rest: rest.toString(), line };
  });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length && other === undefined; i += size) {
    // A copy, scribbled over afterwards: a reader may not hold on to chunks.
    const chunk = Buffer.from(bytes.subarray(i, i + size));
    reader.push(chunk);
    chunk.fill(0);
  }
  if (other === undefined) reader.end();
  return { delivered, other };
}

function messageFor(text: string): string {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.message;
  }
  return assert.fail("not refused");
}

describe("JSON", () => {
  test("gives concatenated values and one per line, with their lines", () => {
    assert.deepEqual(read('{"a": 1}\n\n{"b": [2]}{"c": "}{"}\r\n\t[3]').delivered, [
      ["value", { a: 1 }, 1],
      ["value", { b: [2] }, 3],
      ["value", { c: "}{" }, 3],
      ["value", [3], 4],
    ]);
  });

  test("gives the items of a list one by one, then the rest of the list", () => {
    const items = '[\n  {"a": "]"},\n  {"b": [1, {}]}, 3 ]';
    const text = `{"kind": "List",\n "items": ${items},\n "x": {"items": [4]}}`;
    assert.deepEqual(read(text).delivered, [
      ["item", { a: "]" }, 3],
      ["item", { b: [1, {}] }, 4],
      ["item", 3, 4],
      ["list", { kind: "List", items: [], x: { items: [4] } }, 1],
    ]);
  });

  test("gives a list whole when its items are not wanted one by one", () => {
    const text = '{"kind": "Foo", "items": [1, 2]}';
    assert.deepEqual(read(text, { split: false }).delivered, [
      ["value", { kind: "Foo", items: [1, 2] }, 1],
    ]);
  });

  test("takes an empty list, and items that are no list, as they are", () => {
    assert.deepEqual(read('{"items": [ ]}').delivered, [["list", { items: [] }, 1]]);
    assert.deepEqual(read('{"items": null}').delivered, [["value", { items: null }, 1]]);
    assert.deepEqual(read('{"a": "items", "b": [1]}').delivered, [
      ["value", { a: "items", b: [1] }, 1],
    ]);
  });

  test("hands over where something begins that is no JSON", () => {
    const { delivered, other } = read('{"a": 1}\n---\nb: 2\n');
    assert.deepEqual(delivered, [["value", { a: 1 }, 1]]);
    assert.deepEqual(other, { rest: "---\nb: 2\n", line: 2 });
  });

  test("is refused with the line and what is wrong there", () => {
    const cases: [string, RegExp][] = [
      ['{"a": 1,\n "b": 2,\n}', /^f\.json:3: not JSON: Expected double-quoted property name/],
      [
        '{"items": [\n{"a": 1},\n{"b":\n oops, "c": "long enough to be cut off"}]}',
        /^f\.json:4: not JSON: Unexpected token 'o'/,
      ],
      ['{"items": [\n{"a": "long enough to be cut off",\n"b": nope}]}', /^f\.json:3: not JSON/],
      ['{"items": [{},\n]}', /^f\.json:\d: not JSON/],
      ['{"items": [{}\n{}]}', /^f\.json:2: not JSON/],
      ['{"items": [\n{}\n],\n}', /^f\.json:4: not JSON/],
      ['{"items": [{"a": 1}', /^f\.json:1: the JSON value that begins in line 1 does not end/],
      ['\n{"a": "b', /^f\.json:2: the JSON value that begins in line 2 does not end/],
    ];
    for (const [text, message] of cases) assert.match(messageFor(text), message);
  });

  test("is refused when it is not UTF-8", () => {
    const reader = new JsonItems({ file: "f", line: 1 }, recorder().sink, assert.fail);
    const latin1 = Buffer.from('{"a": "\xe9"}', "latin1");
    assert.throws(() => reader.push(latin1), { message: /^f:1: the text is not UTF-8/ });
  });

  test("gives the same values however the bytes are cut, and JSON.parse agrees", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constant('items"\\'));
    const value = fc.jsonValue();
    const list = fc.record({ kind: text, items: fc.array(value), "it\\ems": value });
    const indent = fc.constantFrom(undefined, 2, "\t");
    fc.assert(
      fc.property(fc.array(list), indent, fc.integer({ min: 1, max: 40 }), (lists, by, size) => {
        const between = by === undefined ? "" : "\n";
        const whole = lists.map((one) => JSON.stringify(one, null, by)).join(between);
        const { delivered } = read(whole, { size });
        // JSON knows no -0 and no key __proto__ apart from what JSON.parse makes of them.
        const expected = lists.map((one) => JSON.parse(JSON.stringify(one)) as typeof one);
        assert.deepEqual(
          delivered.map(([what, one]) => [what, one]),
          expected.flatMap((one) => [
            ...one.items.map((item) => ["item", item]),
            ["list", { ...one, items: [] }],
          ]),
        );
        assert.deepEqual(delivered, read(whole).delivered);
      }),
    );
  });
});
