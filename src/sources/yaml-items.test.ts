import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { InputError } from "./input-error.ts";
import type { ValueSink } from "./value-sink.ts";
import { YamlItems } from "./yaml-items.ts";

interface Options {
  /** Bytes per chunk. */
  readonly size?: number;
  /** 0: lists are split from the first byte on. */
  readonly literalBytes?: number;
  readonly split?: boolean;
}

/** Reads `text`; lists that came in items are put together again. */
function read(text: string, { size = 1 << 20, literalBytes = 0, split = true }: Options = {}) {
  const values: unknown[] = [];
  const lines: number[] = [];
  let splits = 0;
  let items: unknown[] = [];
  const sink: ValueSink = {
    value: (value, line) => {
      values.push(value);
      lines.push(line);
    },
    beginList: () => split && ++splits > 0,
    item: (value, line) => {
      items.push(value);
      lines.push(line);
    },
    endList: (head) => {
      values.push({ ...(head as object), items });
      items = [];
    },
  };
  const reader = new YamlItems({ file: "f.yaml", line: 1 }, sink, literalBytes);
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) {
    const chunk = Buffer.from(bytes.subarray(i, i + size));
    reader.push(chunk);
    chunk.fill(0);
  }
  reader.end();
  return { values, lines, splits };
}

function messageFor(text: string, options?: Options): string {
  try {
    read(text, options);
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.message;
  }
  return assert.fail("not refused");
}

const LIST = `apiVersion: v1
# a comment
items: # the list
- kind: A
  text: |
    - not an item
    ---not a marker

    items:
# a comment
- kind: B
  list:
  - 1
  - - 2
    - 3
-
  kind: C
- {kind: D,
   flow: [1,
   2]}
- plain
  text
- 'quoted
  - text'
-
kind: List
metadata: {}
`;
const LIST_VALUE = {
  apiVersion: "v1",
  items: [
    { kind: "A", text: "- not an item\n---not a marker\n\nitems:\n" },
    { kind: "B", list: [1, [2, 3]] },
    { kind: "C" },
    { kind: "D", flow: [1, 2] },
    "plain text",
    "quoted - text",
    null,
  ],
  kind: "List",
  metadata: {},
};

describe("YAML", () => {
  test("gives documents with the lines where they begin", () => {
    const first = "# first\n\na: 1\n---\n# second\nb: 2\n...\nc: 3\n";
    const { values, lines } = read(`${first}--- {d: 4}\n--- |\n  e\n---\n- 5`);
    assert.deepEqual(values, [{ a: 1 }, { b: 2 }, { c: 3 }, { d: 4 }, "e\n", [5]]);
    assert.deepEqual(lines, [3, 6, 8, 9, 10, 13]);
  });

  test("keeps directives and comments with the document that they precede", () => {
    const first = "%YAML 1.2\n%TAG ! tag:yaml.org,2002:\n--- # one\na: !str 1\n...\n";
    const { values } = read(`${first}# end\n---\n---\nb: 2\n`);
    assert.deepEqual(values.filter((value) => value !== null), [{ a: "1" }, { b: 2 }]);
  });

  test("cuts at markers that stand in quotes or literal text, as YAML does", () => {
    assert.match(messageFor('a: "b\n---\nc"\n'), /^f\.yaml:2: not YAML/);
    assert.deepEqual(read("a: |\n  b\n---\nc: |\n  --- d\n  ...\n").values, [
      { a: "b\n" },
      { c: "--- d\n...\n" },
    ]);
  });

  test("splits a list at its items, whatever they look like", () => {
    const { values, lines, splits } = read(LIST);
    assert.deepEqual(values, [LIST_VALUE]);
    assert.equal(splits, 1);
    assert.deepEqual(lines, [4, 11, 16, 18, 21, 23, 25]);
  });

  test("splits lists with indented dashes, in any document, with any line ends", () => {
    const indented = LIST.replace(/^(?=[- ])/gm, "    ");
    for (const text of [indented, LIST.replaceAll("\n", "\r\n"), `--- # x\n${LIST}...\n`]) {
      assert.deepEqual(read(text).values, [LIST_VALUE]);
      assert.equal(read(text).splits, 1);
    }
    const { values, splits } = read(`${LIST}---\na: 1\n---\n${LIST}`);
    assert.deepEqual(values, [LIST_VALUE, { a: 1 }, LIST_VALUE]);
    assert.equal(splits, 2);
  });

  test("does not take text for a list", () => {
    for (const text of ["--- |\nitems:\n- a\n", '--- |-\nitems:\n- a\n\n']) {
      const { values, splits } = read(text);
      assert.equal(String(values[0]).trim(), "items:\n- a");
      assert.equal(splits, 0);
    }
  });

  test("gives a list whole where the text does not show its items, or nobody wants them", () => {
    const whole = [
      "items: [1, 2]\n",
      "items:\n\n  [1, 2]\n",
      '"items":\n- 1\n- 2\n',
      "{items: [1, 2]}\n",
      "items: &a\n- 1\n- 2\n",
      "? items\n:\n- 1\n- 2\n",
    ];
    for (const text of whole) {
      const { values, splits } = read(text);
      assert.deepEqual(values, [{ items: [1, 2] }]);
      assert.equal(splits, 0);
    }
    assert.deepEqual(read(LIST, { split: false }).values, [LIST_VALUE]);
  });

  test("takes the first bytes of a stream literally, so that nothing is left unchecked", () => {
    const bad = "kind: Pod\nspec:\n  containers:\n  - a: b: c\n";
    assert.match(messageFor(bad, { literalBytes: 100 }), /^f\.yaml:4: not YAML/);
    assert.deepEqual(read(bad).values, [{ kind: "Pod", spec: null }]);
    const whole = { values: [LIST_VALUE], lines: [1], splits: 0 };
    assert.deepEqual(read(LIST, { literalBytes: 10_000 }), whole);
    assert.equal(read(LIST, { literalBytes: LIST.length - 1 }).splits, 1);
  });

  test("reads what kubectl reads: times are text, yes is a boolean, << merges", () => {
    const text = "time: 2024-05-01\nyes: on\nhex: 0x10\nbase: &b {a: 1}\nmore: {<<: *b, c: 2}\n";
    assert.deepEqual(read(text).values, [
      { time: "2024-05-01", true: true, hex: 16, base: { a: 1 }, more: { a: 1, c: 2 } },
    ]);
    assert.deepEqual(read("[y, No, 'yes', nod, 1:20]\n").values, [
      [true, false, "yes", "nod", "1:20"],
    ]);
  });

  test("reads a byte order mark, CRLF and a text without final line break", () => {
    assert.deepEqual(read("\ufeffa: 1\r\n---\r\nb:\r\n  x").values, [{ a: 1 }, { b: "x" }]);
    assert.deepEqual(read("").values, []);
    assert.deepEqual(read("# nothing\n").values, []);
  });

  test("keeps __proto__ an ordinary key", () => {
    const value = read("__proto__: {a: 1}\n").values[0] as object;
    assert.deepEqual(Object.keys(value), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  });

  test("is refused with the line and what to do", () => {
    const cases: [string, RegExp][] = [
      ["a: 1\n---\nb: 2\n c: 3\n", /^f\.yaml:4: not YAML: bad indentation.*; check indentation/],
      ["a: [1\n", /^f\.yaml:2: not YAML: .*/],
      ["a:\n\tb: 1\n", /^f\.yaml:2: not YAML: .*tab.*; indent with spaces/],
      ["a: 1\na: 2\n", /^f\.yaml:2: not YAML: duplicated mapping key; remove one/],
      [`${LIST}kind: List\n`, /^f\.yaml:\d+: not YAML: duplicated mapping key/],
      ["items:\n  - a\n - b\n", /^f\.yaml:3: not YAML: bad indentation of a list entry/],
      ["items:\n- a: 1\n- a: 1\n  b: x: y\n", /^f\.yaml:4: not YAML/],
      ["items:\n- &a b\n- *a\n", /^f\.yaml:3: not YAML: unidentified alias "a"; write the value/],
      ["kind: Pod\nspec:\n  containers:\n  - a\nstatus: x: y\n", /^f\.yaml:5: not YAML/],
      [`a: &a []\nb: [${"*a, ".repeat(1001)}]\n`, /^f\.yaml:2: not YAML: .*maxAliases/],
    ];
    for (const [text, message] of cases) assert.match(messageFor(text), message);
  });

  test("does not expand alias bombs", () => {
    const lines = ["a0: &a0 [x, x]"];
    for (let i = 1; i < 60; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    assert.equal(Object.keys(read(lines.join("\n")).values[0] as object).length, 60);
  });
});

const FRAGMENTS = [
  "items:", "kind: List", "a: b", "a: |", "a: >-", 'a: "b', 'c"', "a: 'b", "c'", "- a", "- a: b",
  "- - a", "-", "- |", '- "a', "- {a: b,", "c: d}", "- [1,", "2]", "# x", "", "  ", "---", "...",
  "--- a", "- # x", "? a", ": b", "text", "items: []", "- items:", "%YAML 1.2", "\t", "é: ü",
];
/** Texts that look like YAML; some of them are. */
const yamlish = fc
  .array(fc.tuple(fc.constantFrom("", "", "  ", "    "), fc.constantFrom(...FRAGMENTS)), {
    minLength: 1,
    maxLength: 12,
  })
  .map((lines) => `items:\n${lines.map((line) => line.join("")).join("\n")}`);

test("splitting a list gives what parsing it whole gives, for all that is YAML", () => {
  let valid = 0;
  fc.assert(
    fc.property(yamlish, (text) => {
      let whole: unknown[];
      try {
        whole = read(text, { literalBytes: Infinity }).values;
      } catch {
        return;
      }
      valid++;
      assert.deepEqual(read(text).values, whole);
    }),
    { numRuns: 5000 },
  );
  assert.ok(valid > 250, `only ${valid} texts were YAML`);
});

test("any cut of the bytes gives the same values", () => {
  const cut = fc.integer({ min: 1, max: 30 });
  fc.assert(
    fc.property(fc.oneof(yamlish, fc.constant(LIST)), cut, (text, size) => {
      const attempt = (options: Options) => {
        try {
          return read(text, options);
        } catch (error) {
          return (error as Error).message;
        }
      };
      for (const literalBytes of [0, 20]) {
        assert.deepEqual(attempt({ size, literalBytes }), attempt({ literalBytes }));
      }
    }),
    { numRuns: 1000 },
  );
});
