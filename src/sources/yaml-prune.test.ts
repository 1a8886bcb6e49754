import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dump } from "js-yaml";
import { parseObject } from "../model/parse/object.ts";
import { validObject } from "../model/parse/valid-objects.test.ts";
import { pruneYaml } from "./yaml-prune.ts";
import { parseYaml } from "./yaml-text.ts";

function prune(text: string): string | undefined {
  return pruneYaml(Buffer.from(text))?.toString();
}

const POD = `- apiVersion: v1
  kind: Pod
  metadata:
    annotations:
      spec: |
        containers:
    managedFields:
    - apiVersion: v1
      name: f

# a comment
    - b
    name: web
  spec:
    containers:
    - name: a
      text: "x
        nodeName: y"
    nodeName: n1
    volumes: []
  status:
    # comment
    podIP: 10.0.0.5
    startTime: "2024-05-01T10:11:12Z"
`;

describe("pruning YAML", () => {
  test("leaves out the fields that nobody reads, with all that belongs to them", () => {
    assert.equal(prune(POD), `- apiVersion: v1
  kind: Pod
  metadata:
    name: web
  spec:
    nodeName: n1
  status:
    # comment
    podIP: 10.0.0.5
`);
  });

  test("knows documents with a header, and lists with any indentation", () => {
    const document = (text = "") => `%YAML 1.2\n---\n${text.replace(/^( {2}|- )/gm, "")}`;
    assert.equal(prune(document(POD)), document(prune(POD)));
    const indented = (text: string | undefined) => text?.replace(/^(?=.)/gm, "   ");
    assert.equal(prune(indented(POD) ?? ""), indented(prune(POD)));
  });

  test("knows sections with different indentations", () => {
    const status = "status:\n  podIPs:\n    x:\n";
    const text = `kind: Pod\nspec:\n    volumes:\n    - a\n    nodeName: n1\n${status}  log: a\n`;
    assert.equal(prune(text), `kind: Pod\nspec:\n    nodeName: n1\n${status}`);
  });

  test("leaves alone what it cannot be sure of", () => {
    const untouched = [
      "kind: Pod\nspec: {containers: []}\n",
      "kind: Pod\nspec: &a\n  containers: []\n",
      "kind: Pod\nspec:\n- containers:\n  - a\n",
      "kind: Pod\nspec:\n  'a': b\n  containers: []\n",
      "{kind: Pod,\n spec:\n  containers: []\n }",
      "'kind': Pod\nspec:\n  containers: []\n",
      "- - kind: Pod\n    spec:\n      containers: []\n",
      "- kind: Pod\n  spec:\n    nodeName: a\n- |\n    containers: []\n",
      "kind: Pod\r\nspec:\n  containers: []\n",
      "kind: Pod\nspec:\n  containers: &a []\n  nodeName: *a\n",
      "kind: CiliumEgressGatewayPolicy\nspec:\n  containers: []\n",
      "metadata:\n  annotations: {}\nspec:\n  selectors: []\n",
      "kind: &a Pod\nspec:\n  containers: []\n",
      'kind: "CiliumEgress\\x47atewayPolicy"\nspec:\n  containers: []\n',
      "",
    ];
    for (const text of untouched) assert.equal(prune(text), undefined);
  });

  test("changes nothing in what objects are parsed to, however they are written", () => {
    let shortened = 0;
    const style = fc.record({
      indent: fc.constantFrom(1, 2, 4),
      seqNoIndent: fc.boolean(),
      lineWidth: fc.constantFrom(-1, 8, 40),
      quoteStyle: fc.constantFrom("single" as const, "double" as const),
      flowLevel: fc.constantFrom(-1, 2, 3),
      sortKeys: fc.boolean(),
    });
    fc.assert(
      fc.property(validObject, style, fc.boolean(), (raw, options, item) => {
        const text = dump(item ? [raw] : raw, options);
        const rest = prune(text);
        if (rest === undefined) return;
        shortened++;
        const [full, pruned] = [text, rest].map((one) => {
          const value = parseYaml(one)[0];
          return parseObject(Array.isArray(value) ? value[0] : value);
        });
        assert.deepEqual(pruned, full);
      }),
      { numRuns: 1500 },
    );
    assert.ok(shortened > 300, `only ${shortened} texts became shorter`);
  });
});

test("a flow collection that ends further left than it may is not pruned", () => {
  const text = "kind: Pod\nspec:\n  containers:\n    [a,\n    b\n]\n  nodeName: n\n";
  assert.equal(prune(text), undefined);
});

const FRAGMENTS = [
  "spec:", "status:", "containers:", "nodeName: a", "volumes: b", "x: |", "x: >2", "- a", "- b: c",
  "- spec:", "-", '- "a', 'y: "a', 'b"', "{a: b,", "}", "[a,", "]", "x: {", "# c", "", "? spec",
  ": a", "&a x: y", "!!str spec:", "text", "...", "\tcontainers:", "x: &b", "metadata:", "z:",
];
const STARTS = [
  "kind: Pod\n",
  "kind: Pod\nspec:\n  containers:\n",
  "kind: Pod # a\nspec:\n  nodeName: b\n  volumes:\n",
];
const INDENTS = ["", "  ", "  ", "   ", "    ", "    ", "      "];

/** The value without what may be pruned: other keys than those that are read in the sections. */
function essence(value: unknown): unknown {
  if (Array.isArray(value) && value.length === 1) return essence(value[0]);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { spec, ...rest } = value as Record<string, unknown>;
  const section = (name: string, one: unknown) => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) return [name, one ?? null];
    const { nodeName } = one as Record<string, unknown>;
    return [name, nodeName ?? null];
  };
  const { status, metadata, ...other } = rest;
  return { other, spec: section("spec", spec), status: typeof status, metadata: typeof metadata };
}

test("pruning keeps what is read in every text that is YAML", () => {
  const line = fc.tuple(fc.constantFrom(...INDENTS), fc.constantFrom(...FRAGMENTS));
  const texts = fc
    .tuple(fc.constantFrom(...STARTS), fc.array(line, { maxLength: 6 }), fc.boolean())
    .map(([start, lines, item]) => {
      const text = start + lines.map((one) => one.join("")).join("\n");
      return item ? `- ${text.replaceAll("\n", "\n  ")}` : text;
    });
  let compared = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const rest = prune(text);
      if (rest === undefined) return;
      let full: unknown;
      try {
        full = parseYaml(text)[0];
      } catch {
        return;
      }
      compared++;
      const pruned = essence(parseYaml(rest)[0]);
      // A section whose every key was left out is null.
      const loose = (one: unknown) => JSON.stringify(one).replace('["spec",{}]', '["spec",null]');
      assert.equal(loose(pruned), loose(essence(full)));
    }),
    { numRuns: 20_000 },
  );
  assert.ok(compared > 100, `only ${compared} texts could be compared`);
});
