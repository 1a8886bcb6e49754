import assert from "node:assert/strict";
import { test } from "node:test";
import { assertValid } from "../../test/support/schema.ts";
import { sampleStatus } from "../../test/support/sample-status.ts";
import { PLAIN } from "../lib/screen.ts";
import type { StatusDocument } from "./document.ts";
import { renderStatus } from "./render-status.ts";
import { writeStatus } from "./write-status.ts";

function picture(document: StatusDocument): string {
  let text = "";
  renderStatus(document, PLAIN, (piece) => (text += piece));
  return text;
}

test("the picture says what is wrong and what to do about it", () => {
  assert.equal(
    picture(sampleStatus()),
    `gw-1  ready · sluice 1.2.3
  2 policies · 12 endpoints · 1,234 rows (2 lame ducks) · 7 turns, the last one 1.3 ms
  3 rows had to be repaired: somebody else changes the maps

  POLICY  DISTRIBUTION  ENDPOINTS  GATEWAYS  CONDITIONS
  db      rendezvous            0         0  –
  we"b    round-robin          12         2  ResolvedRefs: NoEgressIP

  GATEWAY  ADDRESS   INDEX
  gw-2     10.0.0.2      1
  gone     10.0.0.3      2

  EGRESS IP  INTERFACE  INDEX
  192.0.2.1  eth1           1
  192.0.2.2  none           2

  UNCLASSIFIED  INTERFACE  WHY ITS NEW FLOWS WAIT
  10.244.1.7    –          no device was found for this pod
  10.244.1.8    veth8      its rows do not fit into the policy map
  –             veth9      no pod is known behind it

NoGateway  5 packets dropped
  a new flow's policy has no gateway: none of its entries matches a node
  → label a node for the policy's gateways; \`sluice explain\` names the entries
UnknownFlow  1 packet dropped
  an answer came through the tunnel for a flow that this node does not know

nftables MissingTool  3 failures
  nft: not installed
  → install nft

cluster/a.yaml
  error UnreadableFile
    the file is empty
    → Correct the file as the message says; replace files by renaming, not by writing.
`,
  );
});

test("a node without anything says what it waits for", () => {
  const counts = { policies: 0, endpoints: 0, rows: 0, lameDucks: 0 };
  const nobody = { gateways: [], egressIPs: [], unclassified: [] };
  const none = { ...nobody, policies: [], sinks: [], issues: [] };
  const turns = { total: 0, lastSeconds: 0 };
  const rowChanges = { written: 0, deleted: 0, repaired: 0 };
  const waiting = { ready: false, waitingFor: "the first list" };
  const packets = new Map([["NoRow", 3]]);
  assert.equal(
    picture(sampleStatus({ ...none, ...waiting, counts, turns, rowChanges, packets })),
    `gw-1  not ready · sluice 1.2.3
  waits for the first list
  0 policies · 0 endpoints · 0 rows · 0 turns, the last one 0.0 ms

No policy is in force.

Nothing was dropped.
`,
  );
});

test("as JSON it is the document itself", () => {
  let text = "";
  writeStatus(sampleStatus(), (piece) => (text += piece));
  assert.deepEqual(JSON.parse(text), sampleStatus());
  assertValid("status", JSON.parse(text));
});
