// The definition of policies in a real API server: what it refuses and what it says, that files are
// judged alike, and what kubectl shows.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { parseObject } from "../../src/model/parse/object.ts";
import { ROOT } from "../support/run-cli.ts";
import { missingForCluster } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { startCluster } from "./cluster.ts";
import type { PolicySample } from "./policy-samples.ts";
import { ACCEPTED, policyOf, REFUSED } from "./policy-samples.ts";

const CRDS = join(ROOT, "deploy/crds");

test("policies are judged alike, from files and by the API server [2.1]", () => {
  for (const sample of [...ACCEPTED, ...REFUSED]) {
    const parsed = parseObject(policyOf(sample));
    assert.equal(parsed.kind, "object");
    const refused = sample.refusal !== undefined && sample.onlyHere === undefined;
    assert.equal(parsed.change.refused, refused, sample.name);
  }
});

/** What the API server says of each policy that it refuses, by name, all asked at once. */
async function refusals(cluster: Cluster, samples: readonly PolicySample[]) {
  const items = samples.map(policyOf);
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  // What kubectl itself would refuse, it shall send as it is.
  const words = ["create", "--dry-run=server", "--validate=ignore", "-f", "-"];
  const { stderr, stdout } = await cluster.tryKubectl(words, { input });
  const said = stderr.split("\n").filter((line) => line !== "");
  const found = new Map(said.map((line) => [/"([^"]+)" is invalid/.exec(line)?.[1] ?? line, line]));
  assert.equal(found.size + stdout.trim().split("\n").length, samples.length, stderr);
  return found;
}

test("the definition of policies", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await cluster.kubectl("apply", "--server-side", "-f", CRDS);
  await cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");

  await t.test("every refused input is refused, with field and remedy [1.5, 2.1]", async () => {
    const said = await refusals(cluster, [...REFUSED, ...ACCEPTED]);
    for (const { name, refusal } of REFUSED) assert.match(said.get(name) ?? "", refusal as RegExp);
    assert.deepEqual(
      ACCEPTED.flatMap(({ name }) => said.get(name) ?? []),
      [],
    );
  });

  await t.test("a policy of the largest size costs no more than is allowed", async () => {
    const key = "example.com/label";
    const values = Array.from({ length: 256 }, (_, i) => `value-${i}`);
    const matchExpressions = [{ key, operator: "In", values }];
    const labels = Array.from({ length: 16 }, (_, i) => [`example.com/label-${i}`, "some-value"]);
    const selector = { matchLabels: Object.fromEntries(labels), matchExpressions };
    const rule = { podSelector: selector, namespaceSelector: selector, nodeSelector: selector };
    const prefixes = Array.from({ length: 1024 }, (_, i) => `2001:db8:${i}:ffff::/64`);
    const largest = {
      name: "largest",
      spec: {
        selectors: Array.from({ length: 64 }, () => rule),
        destinationCIDRs: prefixes,
        excludedCIDRs: prefixes,
        egressGateways: Array.from({ length: 64 }, () => ({ nodeSelector: selector })),
      },
    };
    assert.deepEqual([...(await refusals(cluster, [largest]))], []);
  });

  await t.test("kubectl shows gateways, endpoints, conditions and age [1.1, 1.7]", async () => {
    const policy = policyOf(ACCEPTED[0] as PolicySample);
    await cluster.apply(policy);
    const name = policy.metadata.name;
    const at = { lastTransitionTime: "2026-01-01T00:00:00Z", reason: "Valid", message: "" };
    const status = {
      resolved: "2/3",
      endpoints: 12,
      conditions: [
        { type: "Accepted", status: "True", ...at },
        { type: "Programmed", status: "False", ...at },
      ],
    };
    const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
    await cluster.kubectl("patch", "cegp", name, ...patch);
    const shown = await cluster.kubectl("get", "cegp");
    const [head, line] = shown.trim().split("\n");
    const columns = ["NAME", "GATEWAYS", "ENDPOINTS", "ACCEPTED", "RESOLVED", "PROGRAMMED", "AGE"];
    assert.deepEqual(head?.split(/ +/), columns);
    assert.match(line ?? "", new RegExp(`^${name} +2/3 +12 +True +False +\\d+s`));
  });

  await t.test("a status is no spec: each is written without the other [1.7]", async () => {
    const { name } = policyOf(ACCEPTED[0] as PolicySample).metadata;
    const sneaky = JSON.stringify({ spec: { destinationCIDRs: ["192.0.2.0/24"] } });
    const patch = ["--subresource=status", "--type=merge", "-p", sneaky];
    await cluster.kubectl("patch", "cegp", name, ...patch);
    const get = (path: string) => cluster.kubectl("get", "cegp", name, "-o", `jsonpath=${path}`);
    assert.equal(await get("{.spec.destinationCIDRs[0]}"), "0.0.0.0/0");
    assert.equal(await get("{.metadata.generation}"), "1");
    await cluster.kubectl("patch", "cegp", name, "--type=merge", "-p", sneaky);
    assert.equal(await get("{.metadata.generation} {.status.endpoints}"), "2 12");
  });
});
