// `sluice consolidate` on files: the proposal, the moves, and that it selects the same endpoints.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sluice, temporaryFolder } from "../support/run-cli.ts";

const CLUSTER = ["-f", "examples/cluster"] as const;
const SPLIT = [...CLUSTER, "-f", "examples/split"] as const;

interface PlanDocument {
  readonly policies: readonly { readonly name: string }[];
  readonly assignments: readonly {
    readonly policy: string;
    readonly endpoint: { readonly uid: string };
    readonly gateway: { readonly node: string } | null;
  }[];
}

function plan(files: readonly string[]): PlanDocument {
  const { exit, stdout, stderr } = sluice(["plan", ...files, "-o", "json"]);
  assert.deepEqual([exit, stderr], [0, ""]);
  return JSON.parse(stdout) as PlanDocument;
}

describe("sluice consolidate", () => {
  test("proposes one policy and says who moves, which is what the plans say", (t) => {
    const { exit, stdout } = sluice(["consolidate", ...SPLIT]);
    assert.equal(exit, 1);
    assert.match(stdout, /^partner-1, partner-2, partner-3 → partner\n/);
    assert.match(stdout, /kubectl delete cegp partner-1 partner-2 partner-3/);

    const merged = join(temporaryFolder(t), "merged.yaml");
    const yaml = sluice(["consolidate", ...SPLIT, "-o", "yaml"]);
    assert.equal(yaml.exit, 1);
    writeFileSync(merged, yaml.stdout);
    const before = plan(SPLIT);
    const after = plan([...CLUSTER, "-f", merged]);
    const uids = (one: PlanDocument) => one.assignments.map(({ endpoint }) => endpoint.uid).sort();
    assert.deepEqual(uids(after), uids(before));
    assert.deepEqual(after.policies.map(({ name }) => name), ["partner"]);
    const old = new Map(before.assignments.map((one) => [one.endpoint.uid, one.gateway?.node]));
    const moved = after.assignments.filter(
      ({ endpoint, gateway }) => old.get(endpoint.uid) !== gateway?.node,
    );
    assert.ok(moved.length > 0);
    assert.match(stdout, new RegExp(`\n${moved.length} endpoints move, 0 start, 0 stop\\.\n`));
  });

  test("while the old policies are there, the new one changes nobody's rows [7.3]", (t) => {
    const merged = join(temporaryFolder(t), "merged.yaml");
    writeFileSync(merged, sluice(["consolidate", ...SPLIT, "-o", "yaml"]).stdout);
    const rows = (files: readonly string[]) => {
      const options = ["--node", "worker-1", "--rows", "all", "-o", "json"];
      const document = JSON.parse(sluice(["plan", ...files, ...options]).stdout);
      const found = document.rows.map((row: Record<string, string>) => {
        return [row["source"], row["destination"], row["gatewayIP"], row["policy"]];
      });
      assert.ok(found.length > 0);
      return found;
    };
    assert.deepEqual(rows([...SPLIT, "-f", merged]), rows(SPLIT));
  });

  test("says so where there is nothing to consolidate", () => {
    const one = sluice(["consolidate", ...CLUSTER, "-f", "examples/policy.yaml"]);
    assert.equal(one.exit, 0);
    assert.match(one.stdout, /^Nothing to consolidate/);
    const yaml = sluice(["consolidate", ...CLUSTER, "-f", "examples/policy.yaml", "-o", "yaml"]);
    assert.deepEqual([yaml.exit, yaml.stdout], [0, ""]);
  });

  test("a refused policy ends it: a group could be incomplete", (t) => {
    const bad = join(temporaryFolder(t), "bad.yaml");
    writeFileSync(
      bad,
      "apiVersion: cilium.io/v2\nkind: CiliumEgressGatewayPolicy\nmetadata: {name: bad}\nspec: {}",
    );
    const { exit, stdout, stderr } = sluice(["consolidate", ...SPLIT, "-f", bad]);
    assert.deepEqual([exit, stdout], [2, ""]);
    assert.match(stderr, /errors in the input[\s\S]*CiliumEgressGatewayPolicy\/bad/);
  });
});
