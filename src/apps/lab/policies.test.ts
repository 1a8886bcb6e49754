import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LabError } from "./lab-error.ts";
import { LabPlace } from "./place.ts";
import { applyPolicies } from "./policies.ts";

const cases: [string, string, string, RegExp][] = [
  [
    "a version that nobody reads is named",
    "cilium.io/v2alpha1",
    "CiliumEgressGatewayPolicy",
    /apiVersion: "cilium\.io\/v2alpha1" is not read; write cilium\.io\/v2$/,
  ],
  [
    "a slip in the kind is named",
    "cilium.io/v2",
    "CiliumEgressGatewayPolicies",
    /:1 kind: .*; write CiliumEgressGatewayPolicy$/,
  ],
  ["another kind is named", "apps/v1", "Deployment", /:1: Deployment is no CiliumEgress/],
  ["a pod is named", "v1", "Pod", /:1: Pod is no CiliumEgress/],
];
for (const [what, apiVersion, kind, message] of cases) {
  test(`what is no policy of the lab is refused: ${what} [2.4]`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "policy.yaml");
    writeFileSync(file, JSON.stringify({ apiVersion, kind, metadata: { name: "a" } }));
    await assert.rejects(applyPolicies(new LabPlace("none"), file), (error: unknown) => {
      assert.ok(error instanceof LabError);
      assert.match(`${error.message}\n${error.remedy ?? ""}`, message);
      return true;
    });
  });
}
