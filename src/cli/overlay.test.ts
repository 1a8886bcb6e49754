import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseObject } from "../model/parse/object.ts";
import type { ObjectChange } from "../model/objects.ts";
import { overlay } from "./overlay.ts";

function changeOf(kind: string, metadata: object, more: object = {}): ObjectChange {
  const apiVersion = kind === "Pod" ? "v1" : "cilium.io/v2";
  const parsed = parseObject({ apiVersion, kind, metadata, ...more });
  assert.equal(parsed.kind, "object");
  return (parsed as { change: ObjectChange }).change;
}

function policyOf(metadata: object, destination = "192.0.2.0/24"): ObjectChange {
  const egressGateway = { nodeSelector: {} };
  const selectors = [{ podSelector: {} }];
  const spec = { selectors, destinationCIDRs: [destination], egressGateway };
  return changeOf("CiliumEgressGatewayPolicy", metadata, { spec });
}

const creationTimestamp = "2026-01-01T00:00:00Z";

describe("files over a cluster", () => {
  test("an edited policy stays as old as it is [7.3]", () => {
    const live = policyOf({ name: "p", creationTimestamp });
    const [, edited] = overlay([live], [policyOf({ name: "p" }, "198.51.100.0/24")]);
    const of = (change: ObjectChange | undefined) => change?.value as { createdAt: number };
    assert.equal(of(edited).createdAt, of(live).createdAt);
    assert.notDeepEqual(edited?.value, live.value);
    const other = policyOf({ name: "q" });
    assert.deepEqual(overlay([live], [other]), [live, other]);
  });

  test("a pod without UID is the one of its name", () => {
    const live = changeOf("Pod", { name: "p", namespace: "n", uid: "u" });
    const labels = { app: "web" };
    const file = changeOf("Pod", { name: "p", namespace: "n", labels });
    const [, changed] = overlay([live], [file]);
    assert.equal(changed?.key, "u");
    assert.equal((changed?.value as { key: string }).key, "u");
  });
});
