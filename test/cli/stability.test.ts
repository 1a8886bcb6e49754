// The same cluster gives the same bytes, whatever the order of its objects, files and formats.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadAll } from "js-yaml";
import { EXAMPLE, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";

const SHUFFLES = 4;

function exampleObjects(): unknown[] {
  const files = readdirSync(join(ROOT, "examples/cluster")).map((name) => `cluster/${name}`);
  return [...files, "policy.yaml"].flatMap((file) => {
    return loadAll(readFileSync(join(ROOT, "examples", file), "utf8"));
  });
}

/** Another order for each seed: by a multiplicative hash of the places. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const rank = (i: number) => Math.imul(i + 1, 2_654_435_761 + 2 * seed) >>> 0;
  return items
    .map((item, i) => ({ item, rank: rank(i) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

describe("the same cluster", () => {
  test("gives the same bytes in any order, in one file or many, alone or in a List [5.8]", (t) => {
    const words = ["--node", "gateway-1", "-o", "json"];
    const expected = sluice(["plan", ...EXAMPLE, ...words]).stdout;
    assert.ok(expected.length > 1000);
    const folder = temporaryFolder(t);
    for (let seed = 0; seed < SHUFFLES; seed++) {
      const objects = shuffled(exampleObjects(), seed);
      const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
      assert.equal(sluice(["plan", "-f", "-", ...words], { stdin: list }).stdout, expected);
      const single = join(folder, String(seed));
      mkdirSync(single);
      for (const [i, object] of objects.entries()) {
        writeFileSync(join(single, `${i}.yaml`), JSON.stringify(object));
      }
      assert.equal(sluice(["plan", "-f", single, ...words]).stdout, expected);
    }
  });

  test("gives other bytes when a pod is missing", () => {
    const objects = exampleObjects();
    const stream = (some: unknown[]) => some.map((one) => JSON.stringify(one)).join("\n---\n");
    const full = sluice(["plan", "-f", "-", "-o", "json"], { stdin: stream(objects) }).stdout;
    const pod = objects.findIndex((one) => (one as { kind: string }).kind === "Pod");
    const less = sluice(["plan", "-f", "-", "-o", "json"], {
      stdin: stream(objects.filter((_, i) => i !== pod)),
    }).stdout;
    assert.notEqual(less, full);
  });
});
