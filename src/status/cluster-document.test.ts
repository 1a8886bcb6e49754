import assert from "node:assert/strict";
import { test } from "node:test";
import { assertValid } from "../../test/support/schema.ts";
import { PLAIN } from "../lib/screen.ts";
import { clusterDocument } from "./cluster-document.ts";
import { renderClusterStatus } from "./render-cluster.ts";

const named = (name: string, more: object = {}) => ({ metadata: { name }, ...more });

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

test("a cluster is ready when every policy is programmed and every node's agent says so", () => {
  const [, good] = SAMPLE.policies;
  const all = { policies: [good], nodeStates: SAMPLE.nodeStates, nodes: [named("w")] };
  assert.equal(clusterDocument(all).ready, true);
  assert.equal(clusterDocument({ ...all, nodes: SAMPLE.nodes }).ready, false);
  assert.equal(clusterDocument({ ...all, policies: SAMPLE.policies }).ready, false);
  const drops = policy("d", { ...GOOD, ResolvedRefs: "False" });
  assert.equal(clusterDocument({ ...all, policies: [drops] }).ready, false);
  const busy = [named("w", { status: { ...STATE, ready: false } })];
  assert.equal(clusterDocument({ ...all, nodeStates: busy }).ready, false);
});

test("the document fits its schema, whatever is missing in the objects", () => {
  assertValid("cluster-status", clusterDocument(SAMPLE));
  const strange = [null, 7, {}, named("x", { status: { conditions: "none", nodes: [] } })];
  const objects = { policies: strange, nodeStates: strange, nodes: strange };
  assertValid("cluster-status", clusterDocument(objects));
});

test("the picture shows who lags, what is wrong, and who is silent", () => {
  let text = "";
  const nowMs = Date.parse("2026-01-01T00:05:00Z");
  const write = (piece: string) => (text += piece);
  renderClusterStatus(clusterDocument(SAMPLE), { screen: PLAIN, write, nowMs });
  assert.equal(
    text,
    `  POLICY  GATEWAYS  ENDPOINTS  ACCEPTED    RESOLVED    PROGRAMMED  LAGGING
  a            2/3         12  True        True        True        –
  b            2/3         12  True        True        False       w
  new            –          0  not judged  not judged  not judged  –

b
  Programmed: b Programmed

  NODE  AGENT      VERSION  POLICIES  ROWS  RENEWED
  v     not ready  –               0     0  never
  w     ready      1.2.3           2    34  300 s ago, silent
  v: its agent has published nothing: does it run?
`,
  );
});
