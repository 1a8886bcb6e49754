import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseObject } from "../model/parse/object.ts";
import { NewestVersions } from "./newest.ts";

interface Written {
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly team?: string;
}

function newest(...written: Written[]) {
  const versions = new NewestVersions();
  for (const { team, ...metadata } of written) {
    const parsed = parseObject({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", labels: { team: team ?? "a" }, ...metadata },
    });
    assert.equal(parsed.kind, "object");
    versions.add(parsed.change, parsed.version);
  }
  return { changes: versions.changes(), issues: versions.issues() };
}

/** The team of the one Pod that is left. */
function winner(...written: Written[]): string {
  const { changes } = newest(...written);
  assert.equal(changes.length, 1);
  const { value } = changes[0]!;
  assert.ok(value !== undefined && "labels" in value);
  return value.labels[1] ?? "";
}

describe("of several versions of one object", () => {
  test("the one with the higher resourceVersion counts, as a number", () => {
    assert.equal(winner({ resourceVersion: "9" }, { resourceVersion: "10", team: "b" }), "b");
    assert.equal(winner({ resourceVersion: "9", team: "b" }, {}), "b");
  });

  test("then the one with the higher generation, then the one created later", () => {
    assert.equal(winner({ generation: 2, team: "b" }, { generation: 1 }), "b");
    const early = { creationTimestamp: "2024-05-01T10:00:00Z" };
    const late = { creationTimestamp: "2024-05-01T10:00:01Z", team: "b" };
    assert.equal(winner(late, early), "b");
  });

  test("one warning says so, with the version that counts", () => {
    const { issues } = newest({ resourceVersion: "9" }, { resourceVersion: "10", team: "b" }, {});
    assert.deepEqual(issues, [
      {
        code: "DuplicateObject",
        severity: "warning",
        object: "Pod/default/a",
        path: "",
        message:
          "the input has different versions of this object; resourceVersion 10 counts, remove " +
          "the rest",
      },
    ]);
  });

  test("there is no warning when they say the same", () => {
    assert.deepEqual(newest({ resourceVersion: "9" }, { resourceVersion: "10" }, {}).issues, []);
  });

  test("the order in which they come does not matter", () => {
    const version = fc.record(
      {
        resourceVersion: fc.constantFrom("1", "2"),
        generation: fc.constantFrom(1, 2),
        team: fc.constantFrom("a", "b", "c"),
      },
      { requiredKeys: [] },
    );
    const shuffled = fc
      .array(version, { minLength: 1, maxLength: 5 })
      .chain((versions) => {
        const { length } = versions;
        return fc.tuple(
          fc.constant(versions),
          fc.shuffledSubarray(versions, { minLength: length, maxLength: length }),
        );
      });
    fc.assert(fc.property(shuffled, ([a, b]) => assert.deepEqual(newest(...a), newest(...b))));
  });
});

test("objects without a name keep each their issues", () => {
  const versions = new NewestVersions();
  for (const spec of [{ selectors: 1 }, { selectors: 2 }]) {
    const parsed = parseObject({
      apiVersion: "cilium.io/v2",
      kind: "CiliumEgressGatewayPolicy",
      metadata: {},
      spec,
    });
    assert.equal(parsed.kind, "object");
    versions.add(parsed.change, parsed.version);
  }
  const all = [...versions.issues(), ...versions.changes().flatMap(({ issues }) => issues)];
  assert.equal(all.filter(({ path }) => path === "spec.selectors").length, 2);
  assert.equal(all.filter(({ code }) => code === "DuplicateObject").length, 0);
});
