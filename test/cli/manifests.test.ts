// `sluice manifests`: valid YAML with the reader's settings, whose parts fit each other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CORE_SCHEMA, loadAll, mergeTag } from "js-yaml";
import { ROOT, sluice } from "../support/run-cli.ts";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: { readonly template?: { readonly spec: Pod } };
}

interface Pod {
  readonly containers: readonly [{ readonly image: string; readonly args: readonly string[] }];
}

function manifests(...words: string[]): Manifest[] {
  const { exit, stdout, stderr } = sluice(["manifests", ...words]);
  assert.deepEqual([exit, stderr], [0, ""]);
  return loadAll(stdout, { schema: CORE_SCHEMA.withTags(mergeTag) }) as Manifest[];
}

function podsOf(all: readonly Manifest[]): Pod[] {
  return all.flatMap(({ spec }) => spec?.template?.spec ?? []);
}

describe("sluice manifests", () => {
  test("prints definitions first, then what uses them, as this version's image", () => {
    const all = manifests();
    const kinds = all.map(({ kind }) => kind);
    assert.deepEqual(kinds.slice(0, 3), [
      "CustomResourceDefinition",
      "CustomResourceDefinition",
      "Namespace",
    ]);
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const pods = podsOf(all);
    assert.equal(pods.length, 2);
    for (const { containers } of pods) assert.equal(containers[0].image, `sluice:${version}`);
    // The files as they stand can be applied too.
    const names = ["50-agent", "60-controller"];
    for (const name of names) {
      const text = readFileSync(join(ROOT, `deploy/manifests/${name}.yaml`), "utf8");
      assert.match(text, new RegExp(`image: sluice:${version}\n`));
    }
  });

  test("puts namespace, image and arguments where they belong", () => {
    const image = "images.example.com/net/sluice@sha256:0123";
    const all = manifests("-n", "egress", "--image", image, "--agent-arg=--rows=all");
    assert.doesNotMatch(JSON.stringify(all), /sluice-system/);
    for (const { kind, metadata } of all) {
      if (metadata.namespace === undefined || metadata.namespace === "kube-system") continue;
      assert.equal(metadata.namespace, "egress", `${kind}/${metadata.name}`);
    }
    const [agent, controller] = podsOf(all) as [Pod, Pod];
    assert.deepEqual(agent.containers[0].args.slice(-1), ["--rows=all"]);
    assert.ok(!controller.containers[0].args.includes("--rows=all"));
    for (const { containers } of [agent, controller]) assert.equal(containers[0].image, image);
  });

  test("prints the definitions or the rest alone", () => {
    const crds = manifests("--part", "crds");
    const rest = manifests("--part", "rest");
    assert.ok(crds.every(({ kind }) => kind === "CustomResourceDefinition"));
    assert.equal(crds.length + rest.length, manifests().length);
  });

  test("refuses names that would break the text", () => {
    for (const words of [
      ["-n", "Egress"],
      ["--image", "a b"],
    ]) {
      assert.equal(sluice(["manifests", ...words]).exit, 2);
    }
    assert.match(sluice(["manifests", "-n", "Foo_Bar"]).stderr, /lower-case letters, digits/);
  });

  test("refuses words that no agent would take, as an agent does", () => {
    const refused = (...words: string[]) => {
      const args = words.map((word) => `--agent-arg=${word}`);
      const { exit, stdout, stderr } = sluice(["manifests", ...args]);
      assert.deepEqual([exit, stdout], [2, ""]);
      return stderr;
    };
    assert.match(refused("--rowz=all"), /--agent-arg: unknown option --rowz; did you mean --rows/);
    assert.match(refused("--vni=99999999"), /--vni 99999999 is too large\nIt is at most/);
    assert.match(refused("--cluster-cidr=x"), /'x' is not a prefix/);
    assert.match(refused("--rows", "most"), /unknown value 'most'/);
    assert.match(refused("all"), /unexpected argument 'all'/);
    manifests("--agent-arg=--rows", "--agent-arg=all", "--agent-arg=--node=$(NODE_NAME)");
  });
});
