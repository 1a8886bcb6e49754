import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  address,
  gateway,
  NO_PLAN,
  policyPlan,
  row,
  streamOf,
} from "../../test/support/sample-plan.ts";
import type { Screen } from "../lib/screen.ts";
import { makeScreen, PLAIN } from "../lib/screen.ts";
import { issue } from "../model/issue.ts";
import type { Capacity, Plan } from "./plan.ts";
import { renderPlan } from "./render-plan.ts";

const NARROW = makeScreen({ columns: 80, linesMax: 3, unicode: false, colour: false });

function drawn(plan: Plan, screen: Screen = PLAIN, wide = false): string {
  let text = "";
  renderPlan(plan, { wide }, screen, (piece) => (text += piece));
  return text;
}

const CAPACITY: Capacity = {
  mapSize: 100,
  rows: "needed",
  nodes: [
    { node: "a", rowsIPv4: 10, rowsIPv6: 0, heldEndpoints: 0 },
    { node: "b", rowsIPv4: 0, rowsIPv6: 50, heldEndpoints: 0 },
  ],
  egressIPs: [
    { egressIP: address("192.0.2.1"), node: "gw-1", endpoints: 2 },
    { egressIP: address("192.0.2.2"), node: "gw-2", endpoints: 3 },
  ],
};
const PLAN = policyPlan([gateway(1), gateway(2, { egressIPs: null })], [0, 1, 0, 1, 1], {
  capacity: CAPACITY,
});

describe("a plan for people", () => {
  test("shows gateways, shares, map fill and ports, the fullest first", () => {
    assert.equal(
      drawn(PLAN),
      `p  round-robin · 5 endpoints → 2 gateways
  to 203.0.113.0/24

  NODE  EGRESS IP  ENDPOINTS  SHARE
  gw-1  192.0.2.1          2    40%  ████████
  gw-2  unknown            3    60%  ████████████
  unknown: the input has no NodeState of the node; see kubectl get nodestates -o yaml

Map fill  100 entries per map, the rows that each node needs

  NODE  IPv4 ROWS  IPv6 ROWS  FILL
  b             0         50   50%  ██████████
  a            10          0   10%  ██

SNAT ports  64,512 per egress IP, protocol and destination

  EGRESS IP  NODE  ENDPOINTS  PORTS PER ENDPOINT
  192.0.2.2  gw-2          3              21,504
  192.0.2.1  gw-1          2              32,256
`,
    );
  });

  test("fits 80 columns and ASCII where the terminal has no more", () => {
    const lines = drawn(PLAN, NARROW).split("\n");
    assert.ok(lines.every((line) => line.length <= 80 && /^[ -~]*$/.test(line)));
    assert.ok(lines.includes("  gw-2  unknown            3    60%  ######"));
  });

  test("adds the rows of the node, with egress IPs where it uses them [6.5, 7.2, 7.7]", () => {
    const gatewayIP = address("10.0.0.1");
    const rows = streamOf([
      row("10.1.0.1", "203.0.113.0/24", { gatewayIP }),
      row("10.1.0.2", "203.0.113.0/24", { gatewayIP: address("10.0.0.2") }),
      row("10.1.0.3", "203.0.113.0/24", { gatewayIP, egressIP: null, ifindex: null }),
      row("10.1.0.3", "203.0.113.1/32", { gatewayIP: address("0.0.0.1") }),
      row("10.1.0.4", "203.0.113.0/24", { gatewayIP: address("0.0.0.0") }),
      row("10.1.0.5", "203.0.113.0/24", { gatewayIP, egressIP: address("0.0.0.0") }),
    ]);
    const text = drawn({ ...PLAN, node: "gw-1", rows });
    const table = `  SOURCE    DESTINATION     EGRESS IP  GATEWAY IP       IF  POLICY
  10.1.0.1  203.0.113.0/24  192.0.2.1  10.0.0.1          5  p
  10.1.0.2  203.0.113.0/24  –          10.0.0.2          –  p
  10.1.0.3  203.0.113.0/24  unknown    10.0.0.1    unknown  p
  10.1.0.3  203.0.113.1/32  –          excluded          –  p
  10.1.0.4  203.0.113.0/24  –          drop              –  p
  10.1.0.5  203.0.113.0/24  none       10.0.0.1          5  p
  – no egress IP of this node is used · excluded (0.0.0.1) leaves by the ordinary path · drop`;
    assert.ok(text.includes(table), text);
    assert.match(drawn({ ...PLAN, node: "x", rows: streamOf([]) }), /Policy rows {2}0 on x\n/);
    const wide = drawn({ ...PLAN, node: "gw-1", rows }, PLAIN, true);
    assert.match(wide, /IF {2}POLICY {2}ENDPOINT {4}GATEWAY\n/);
    assert.match(wide, / {2}10\.1\.0\.2 .* 10\.0\.0\.2 .* p {7}shop\/web-2 {2}gw-2\n/);
    assert.match(wide, / {2}10\.1\.0\.3 .* excluded .* p {7}shop\/web-3\n/);
  });

  test("cuts long lists on a terminal only, and says how many are left out", () => {
    const rows = streamOf(Array.from({ length: 8 }, (_, i) => row(`10.1.0.${i}`, "10.0.0.0/8")));
    const plan = { ...PLAN, node: "gw-1", rows };
    const cut = /10\.1\.0\.2 .*\n {2}\.\.\. 5 more; all with -o wide or -o json\n/;
    assert.match(drawn(plan, NARROW), cut);
    assert.match(drawn(plan), /10\.1\.0\.7/);
    assert.match(drawn(plan, { ...NARROW, linesMax: Infinity }, true), /10\.1\.0\.7/);
  });

  test("adds entries, gateway IPs, devices and every assignment when wide", () => {
    const text = drawn(PLAN, PLAIN, true);
    assert.match(text, /ENTRY {2}GATEWAY IP {2}INTERFACE {2}NODE/);
    assert.match(text, /p {7}shop\/web-3 {2}web-3 {2}10\.1\.0\.3 {2}worker-1 {2}gw-1/);
  });

  test("says what is wrong with a policy in its own block, once, and the rest at the end", () => {
    const own = { object: "CiliumEgressGatewayPolicy/p", path: "spec" };
    const plan: Plan = {
      ...policyPlan([], [undefined], {
        policy: {
          conditions: [
            { type: "ResolvedRefs", status: "False", reason: "NoGateway", message: "other words" },
            { type: "Conflicted", status: "True", reason: "IdenticalRow", message: "q wins" },
          ],
        },
      }),
      issues: [
        issue("NoGateway", own, "no gateway resolves"),
        issue("InvalidPrefix", { object: "CiliumEgressGatewayPolicy/z", path: "a[0]" }, "bad"),
        issue("InvalidPrefix", { object: "CiliumEgressGatewayPolicy/z", path: "a[1]" }, "worse"),
      ],
    };
    assert.equal(
      drawn(plan),
      `p  round-robin · 1 endpoint → 0 gateways
  to 203.0.113.0/24

  warning NoGateway  spec
    no gateway resolves
    → Label a node so that an entry's nodeSelector matches it.
  Conflicted=True IdenticalRow
    q wins

CiliumEgressGatewayPolicy/z
  error InvalidPrefix  a[0]
    bad
  error InvalidPrefix  a[1]
    worse
    → Write address and mask, as in 192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32.
`,
    );
  });

  test("lets no name from the input reach the terminal as a command", () => {
    const hostile = gateway(1, { node: "gw\x1b[2J" });
    const plan = policyPlan([hostile], [0], { policy: { name: "\x07p" } });
    assert.doesNotMatch(drawn(plan), /[\x07\x1b]/);
  });

  test("says so when no policy is in force", () => {
    assert.equal(drawn(NO_PLAN), "No policy is in force.\n");
  });

  test("warns of endpoints that a full map leaves held [7.9]", () => {
    const nodes = [{ node: "a", rowsIPv4: 130, rowsIPv6: 0, heldEndpoints: 12 }];
    const text = drawn({ ...PLAN, capacity: { ...CAPACITY, nodes } });
    assert.match(text, /HELD ENDPOINTS\n {2}a .* 130% {2}█{20} +12\n/);
  });
});
