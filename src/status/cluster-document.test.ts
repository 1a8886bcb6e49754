import assert from "node:assert/strict";
import { test } from "node:test";
import { assertValid } from "../../test/support/schema.ts";
import { PLAIN } from "../lib/screen.ts";
import { clusterDocument } from "./cluster-document.ts";
import type { ClusterObjects } from "./cluster-document.ts";
import { renderClusterStatus } from "./render-cluster.ts";

const named = (name: string, more: { readonly status?: object } = {}) => {
  return { metadata: { name }, ...more };
};

function policy(name: string, conditions: Record<string, string>, more: object = {}) {
  const list = Object.entries(conditions).map(([type, status]) => ({
    ...{ type, status, message: `${name} ${type}` },
  }));
  return named(name, { status: { endpoints: 12, resolved: "2/3", conditions: list, ...more } });
}

const GOOD = { Accepted: "True", ResolvedRefs: "True", Programmed: "True" };
const STATE = {
  ready: true,
  message: "",
  renewTime: "2026-01-01T00:00:00Z",
  versions: { sluice: "1.2.3" },
  policies: [
    { name: "a", generation: 1, rows: 30, digest: "00", message: "" },
    { name: "b", generation: 1, rows: 4, digest: "00", message: "" },
  ],
};
const SAMPLE = {
  policies: [
    policy("b", { ...GOOD, Programmed: "False" }, { nodes: { lagging: ["w"] } }),
    policy("a", { ...GOOD, Conflicted: "False" }),
    named("new"),
  ],
  nodeStates: [named("w", { status: STATE })],
  nodes: [named("w"), named("v")],
};

const NOW_MS = Date.parse("2026-01-01T00:01:00Z");

function lease(renewTime: string, holderIdentity = "one") {
  return { spec: { renewTime, holderIdentity, leaseDurationSeconds: 15 } };
}

const LEASE = lease("2026-01-01T00:00:59.000000Z");
const BY = { lease: LEASE, judgedBy: "controller" } as const;
const [, A] = SAMPLE.policies;
const ALL: ClusterObjects = { ...SAMPLE, policies: [A], nodes: [named("w")], ...BY };

function document(objects: Partial<ClusterObjects>, nowMs = NOW_MS) {
  return clusterDocument({ ...ALL, ...objects }, nowMs);
}

function picture(objects: Partial<ClusterObjects>, nowMs = NOW_MS): string {
  let text = "";
  const write = (piece: string) => (text += piece);
  renderClusterStatus(document(objects, nowMs), { screen: PLAIN, write, nowMs });
  return text;
}

test("a cluster is ready when every policy is programmed and every node's agent says so", () => {
  assert.equal(document({}).ready, true);
  assert.equal(document({ nodes: SAMPLE.nodes }).ready, false);
  assert.equal(document({ policies: SAMPLE.policies }).ready, false);
  const drops = policy("d", { ...GOOD, ResolvedRefs: "False" });
  assert.equal(document({ policies: [drops] }).ready, false);
  const busy = [named("w", { status: { ...STATE, ready: false } })];
  assert.equal(document({ nodeStates: busy }).ready, false);
});

test("a silent agent keeps a cluster from being ready, whatever it said last", () => {
  assert.equal(document({ lease: null }, NOW_MS + 120_000).ready, true);
  assert.equal(document({ lease: null }, NOW_MS + 120_001).ready, false);
});

test("no status counts for longer than a controller is active, unless that is not known", () => {
  const controller = (lease: unknown) => document({ lease }).controller;
  assert.equal(controller(LEASE)?.active, true);
  assert.equal(document({ lease: null }).controller, null);
  const old = "2026-01-01T00:00:14.000000Z";
  for (const none of [undefined, lease("2026-01-01T00:00:59.000000Z", ""), lease(old)]) {
    assert.equal(controller(none)?.active, false);
    assert.equal(document({ lease: none }).ready, false);
  }
  const said = "No controller has judged since 2026-01-01T00:00:14.000000Z (46 s ago).\n";
  assert.ok(picture({ lease: lease(old) }).startsWith(said), picture({ lease: lease(old) }));
  assert.match(picture({ lease: undefined }), /^No controller has judged here yet\.\n/);
  assert.doesNotMatch(picture({}), /controller/);
});

test("who judged is said where policies have no status", () => {
  const here = picture({ judgedBy: "reader", lease: undefined });
  assert.match(here, /^No controller has judged here yet\.\n {2}Nobody writes events\./);
  assert.match(here, /\nThe definition of policies is not Sluice's: it has no status\.\n/);
});

test("a status of a former generation is no status", () => {
  const status = { ...A?.status, observedGeneration: 1 };
  const edited = { metadata: { name: "a", generation: 2 }, status };
  const [said] = document({ policies: [edited] }).policies;
  assert.deepEqual([said?.accepted, said?.resolvedRefs, said?.programmed], ["", "", ""]);
  assert.deepEqual(said?.problems, ["generation 2 is not judged yet, only 1"]);
  assert.equal(document({ policies: [edited] }).ready, false);
  const judged = { ...edited, status: { ...status, observedGeneration: 2 } };
  assert.equal(document({ policies: [judged] }).ready, true);
});

test("the document fits its schema, whatever is missing in the objects", () => {
  assertValid("cluster-status", document(SAMPLE));
  assertValid("cluster-status", document({ lease: null }));
  const strange = [null, 7, {}, named("x", { status: { conditions: "none", nodes: [] } })];
  const objects = { policies: strange, nodeStates: strange, nodes: strange, lease: 7 };
  assertValid("cluster-status", document(objects));
});

test("the picture shows who lags, what is wrong, and who is silent", () => {
  const nowMs = Date.parse("2026-01-01T00:05:00Z");
  assert.equal(
    picture({ ...SAMPLE, lease: null }, nowMs),
    `  POLICY  GATEWAYS  ENDPOINTS  ACCEPTED    RESOLVED    PROGRAMMED  LAGGING
  a            2/3         12  True        True        True        –
  b            2/3         12  True        True        False       w
  new            –          0  not judged  not judged  not judged  –

b
  Programmed: b Programmed

  NODE  AGENT      VERSION  POLICIES  ROWS  RENEWED
  v     not ready  –               0     0  never
  w     silent     1.2.3           2    34  300 s ago
  v: its agent has published nothing: does it run?
  w: its agent has been silent for minutes: what its kernel holds follows no change
`,
  );
});
