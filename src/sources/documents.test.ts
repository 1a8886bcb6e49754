import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dump } from "js-yaml";
import type { Raw } from "../model/parse/valid-objects.test.ts";
import { validObject } from "../model/parse/valid-objects.test.ts";
import type { RawValue } from "./documents.ts";
import { DocumentReader } from "./documents.ts";

function read(text: string | Buffer, { size = 1 << 20, literalBytes = 0 } = {}): RawValue[] {
  const values: RawValue[] = [];
  const reader = new DocumentReader("f", (raw) => values.push(raw), { literalBytes });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) reader.push(bytes.subarray(i, i + size));
  reader.end();
  return values;
}

const bare = (text: string | Buffer, options?: Parameters<typeof read>[1]) =>
  read(text, options).map(({ value }) => value);

describe("reading documents", () => {
  test("tells JSON from YAML by its first bytes", () => {
    assert.deepEqual(bare(' \n{ "a": 1 }\n{"b": 2}'), [{ a: 1 }, { b: 2 }]);
    assert.deepEqual(bare("{a: 1}\n---\n{b: 2}"), [{ a: 1 }, { b: 2 }]);
    assert.deepEqual(bare('a: 1\n--- {"b": 2}\n---\n[3]'), [{ a: 1 }, { b: 2 }, [3]]);
    assert.deepEqual(bare("{}{}"), [{}, {}]);
    assert.deepEqual(bare("[1]"), [[1]]);
    assert.deepEqual(bare("{" + " ".repeat(5000) + "a: 1}"), [{ a: 1 }]);
  });

  test("goes on with YAML where JSON ends", () => {
    assert.deepEqual(read('{"a": 1}\n---\nb: 2\n# end\n'), [
      { value: { a: 1 }, type: undefined, line: 1 },
      { value: { b: 2 }, type: undefined, line: 3 },
    ]);
  });

  test("passes over a byte order mark and over empty documents", () => {
    for (const size of [1, 100]) {
      assert.deepEqual(bare('\ufeff{"a": 1}{}', { size }), [{ a: 1 }, {}]);
    }
    assert.deepEqual(bare("\ufeffa: 1"), [{ a: 1 }]);
    assert.deepEqual(bare("# nothing\n---\n---\na: 1\n---\n~\n"), [{ a: 1 }]);
    for (const text of ["", "\n", "\ufeff", "   "]) assert.deepEqual(bare(text), []);
  });

  test("refuses UTF-16 with the remedy", () => {
    for (const mark of [[0xff, 0xfe], [0xfe, 0xff]]) {
      const bytes = Buffer.from([...mark, 0x61, 0, 0x3a, 0]);
      assert.throws(() => read(bytes), { message: "f: the text is UTF-16; save it as UTF-8" });
    }
    assert.throws(() => read(Buffer.from("a: \xe9", "latin1")), { message: /^f:1: .*UTF-8/ });
  });

  test("says what the items of a typed list are, wherever its kind stands", () => {
    const pod = { apiVersion: "v1", kind: "Pod" };
    const texts = [
      '{"kind": "PodList", "apiVersion": "v1", "items": [{}]}',
      '{"kind": "PodList", "items": [{}], "apiVersion": "v1"}',
      '{"apiVersion": "v1", "items": [{}], "kind": "PodList"}',
      "kind: PodList\napiVersion: v1\nitems:\n- {}\n",
      "items:\n- {}\nkind: PodList\napiVersion: v1\n",
    ];
    for (const text of texts) {
      assert.deepEqual(read(text).map(({ value, type }) => ({ value, type })), [
        { value: {}, type: pod },
      ]);
    }
    const own = { apiVersion: "v1", kind: "Node" };
    const [item] = read(JSON.stringify({ items: [own], apiVersion: "v1", kind: "List" }));
    assert.deepEqual(item, { value: own, type: undefined, line: 1 });
  });

  test("gives other objects with items whole, if they say their kind in time", () => {
    const foo = { apiVersion: "a/v1", kind: "Foo", items: [1] };
    assert.deepEqual(bare(JSON.stringify(foo)), [foo]);
    assert.deepEqual(bare(dump(foo)), [foo]);
    assert.throws(() => read('{"items": [1], "kind": "Foo"}'), {
      message:
        "f:1: a Foo is no list, but its items were read as one; write its kind before its items",
    });
  });

  test("refuses an object that is too large to be one", () => {
    const reader = new DocumentReader("f", () => assert.fail());
    const chunk = Buffer.alloc(16 * 2 ** 20, "x");
    reader.push(Buffer.from('\n{"a": "'));
    assert.throws(() => {
      for (let i = 0; i < 5; i++) reader.push(chunk);
    }, { message: /^f:2: a single object of more than 64 MiB begins here; write long lists/ });
  });
});

/** Objects written as a stream, in one of many ways. */
const written = fc
  .tuple(
    fc.array(validObject, { maxLength: 4 }),
    fc.constantFrom("json", "json lines", "json list", "pod list", "yaml", "yaml list", "crlf"),
    fc.constantFrom(0, 2, 4),
    fc.boolean(),
  )
  .map(([objects, form, indent, sortKeys]) => {
    const list = { kind: "List", items: objects, apiVersion: "v1", metadata: { x: "}" } };
    const yaml = { indent: indent + 1, seqNoIndent: sortKeys, sortKeys, lineWidth: 20 * indent };
    const documents = (all: readonly Raw[]) => all.map((one) => `---\n${dump(one, yaml)}`).join("");
    const texts: Record<string, () => string> = {
      json: () => objects.map((one) => JSON.stringify(one, null, indent)).join("\n"),
      "json lines": () => objects.map((one) => `${JSON.stringify(one)}\n`).join(""),
      "json list": () => JSON.stringify(list, null, indent),
      "pod list": () => JSON.stringify({ items: objects, kind: "PodList", apiVersion: "v1" }),
      yaml: () => documents(objects),
      "yaml list": () => dump(list, yaml),
      crlf: () => documents(objects).replaceAll("\n", "\r\n"),
    };
    return { objects, text: texts[form]?.() ?? "" };
  });

test("gives the same values in whatever form and however the bytes are cut", () => {
  fc.assert(
    fc.property(written, fc.integer({ min: 1, max: 100 }), ({ objects, text }, size) => {
      const values = read(text, { literalBytes: Infinity });
      const flat = values.flatMap(({ value }) => (value as { items?: unknown[] }).items ?? [value]);
      assert.deepEqual(flat, objects);
      assert.deepEqual(read(text, { size, literalBytes: Infinity }), values);
      assert.deepEqual(read(text, { size }), read(text));
    }),
    { numRuns: 500 },
  );
});
