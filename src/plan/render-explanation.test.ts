// What people read: the answer, the reasons, their layout.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeScreen, PLAIN } from "../lib/screen.ts";
import type { Screen } from "../lib/screen.ts";
import { textWidth } from "../lib/text.ts";
import type { Explanation } from "./explanation.ts";
import { renderExplanation } from "./render-explanation.ts";
import type { ExplainQuestion } from "../../test/support/explained.ts";
import {
  explained,
  GW,
  namespace,
  node,
  NODES,
  pod,
  policy,
  WEB,
} from "../../test/support/explained.ts";

function rendered(explanation: Explanation, screen: Screen = PLAIN): string {
  let text = "";
  renderExplanation(explanation, screen, (piece) => (text += piece));
  return text;
}

const DB = { podSelector: { matchLabels: { app: "db" } } };
const ZONE = (zone: string) => ({ nodeSelector: { matchLabels: { zone } } });

const OBJECTS = [
  ...NODES,
  namespace("shop", { team: "a" }),
  pod("web-1", ["10.0.1.5"], { labels: { app: "web", tier: "front" } }),
  pod("web-2", ["10.0.1.6"]),
  policy("internet", {
    selectors: [{ ...WEB, namespaceSelector: { matchLabels: { team: "a" } } }, DB],
    excludedCIDRs: ["10.0.0.0/8"],
    egressGateways: [GW("1"), { ...GW("2"), egressIP: "192.0.2.20" }, GW("3")],
  }),
  policy(
    "partner",
    {
      selectors: [{ ...WEB, ...ZONE("c") }, { ...DB, ...ZONE("a") }],
      destinationCIDRs: ["198.51.100.0/24", "0.0.0.0/0"],
      egressGateways: [GW("1"), { ...GW("2"), egressIP: "192.0.2.20" }],
    },
    { annotations: { "sluice.dev/distribution": "rendezvous" } },
  ),
  policy("pooled", { selectors: [WEB, { ...DB, ...ZONE("b") }] }),
];

/** The text without line breaks inside paragraphs. */
function answer(question: Partial<ExplainQuestion>): string {
  const text = rendered(explained({ objects: OBJECTS, ...question }));
  return text.slice(0, text.indexOf("\n\n")).replaceAll("\n", " ");
}

describe("an explanation as text", () => {
  test("gives the answer first, then numbered reasons", () => {
    const text = rendered(explained({ objects: OBJECTS, destination: "198.51.100.7" }));
    assert.equal(text, EXPECTED);
  });

  test("keeps to 100 columns, and to a narrow terminal's", () => {
    for (const destination of [{}, { destination: "198.51.100.7" }]) {
      const explanation = explained({ objects: OBJECTS, ...destination });
      for (const columns of [undefined, 200, 72]) {
        const screen = makeScreen({ columns, unicode: true, colour: true, linesMax: Infinity });
        const widths = rendered(explanation, screen).split("\n").map(textWidth);
        assert.ok(Math.max(...widths) <= (columns === 72 ? 72 : 100), String(columns));
      }
    }
  });

  test("says the same with colours and without", () => {
    const explanation = explained({ objects: OBJECTS, destination: "198.51.100.7" });
    const screen = makeScreen({ columns: 100, unicode: true, colour: true, linesMax: Infinity });
    const coloured = rendered(explanation, screen);
    assert.notEqual(coloured, EXPECTED);
    assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), EXPECTED);
  });

  test("shows control characters of names instead of sending them to the terminal", () => {
    const hostile = pod("web-1", ["10.0.1.5"], { labels: { app: "web" }, node: "\x1b[2Jgone" });
    const text = rendered(explained({ objects: [...NODES, hostile, policy("p")] }));
    assert.ok(text.includes("\\u001b[2Jgone"));
    assert.ok(!text.includes("\x1b"));
  });

  test("without a destination lists what happens to each prefix and to all else [7.3]", () => {
    const text = rendered(explained({ objects: OBJECTS }));
    const [heading, list] = text.split("\n\n");
    assert.match(heading ?? "", /^Traffic from shop\/web-1 \(10\.0\.1\.5\), by destination/);
    assert.equal(
      list,
      `\
  0.0.0.0/0        leaves with 192.0.2.10, by gateway gw-1
  10.0.0.0/8       leaves by the ordinary path, with the address that its node gives it: policy
                   internet excludes 10.0.0.0/8
  198.51.100.0/24  leaves with 192.0.2.10, by gateway gw-1
  all else         leaves by the ordinary path, with the address that its node gives it`,
    );
  });

  test("tells which policies an exclusion cuts [7.4]", () => {
    const text = rendered(explained({ objects: OBJECTS, destination: "10.9.9.9" }));
    assert.match(text, /internet excludes it: wins, and cuts what partner covers \[7\.4\]/);
  });

  test("says where a namespace's name is a label and where it is none [3.2]", () => {
    const byName = { matchLabels: { "io.kubernetes.pod.namespace": "shop" } };
    const objects = [
      ...NODES,
      pod("web-1", ["10.0.1.5"]),
      policy("p", { selectors: [{ namespaceSelector: byName }] }),
    ];
    const text = rendered(explained({ objects })).replace(/\s+/g, " ");
    assert.match(
      text,
      new RegExp(
        "namespaceSelector io\\.kubernetes\\.pod\\.namespace=shop fails: no label " +
          "io\\.kubernetes\\.pod\\.namespace; it is a label of pods: write it in podSelector",
      ),
    );
    assert.match(text, /labels app=web, io\.kubernetes\.pod\.namespace=shop namespace \(none\)/);
  });

  test("answers for every outcome in one sentence, and says what to do [8.3]", () => {
    const ordinary = "leaves by the ordinary path, with the address that its node gives it";
    const from = "Traffic from shop/web-1 (10.0.1.5) to";
    assert.equal(
      answer({ destination: "10.9.9.9" }),
      `${from} 10.9.9.9 ${ordinary}, because policy internet excludes 10.0.0.0/8.`,
    );
    assert.equal(
      answer({ destination: "10.0.1.6" }),
      `${from} 10.0.1.6 stays inside the cluster, untouched by policies, because it is an \
address of pod shop/web-2.`,
    );
    assert.equal(
      answer({ destination: "169.254.169.254" }),
      `${from} 169.254.169.254 is untouched by policies, because it lies in 169.254.0.0/16: \
link-local, multicast or broadcast.`,
    );
    assert.equal(
      answer({ destination: "2001:db8::1" }),
      "Traffic from shop/web-1 to 2001:db8::1 cannot be sent, because the endpoint has no IPv6 \
address.",
    );
    assert.equal(
      answer({ pod: "web-2", destination: "192.0.2.1" }),
      "Traffic from shop/web-2 (10.0.1.6) to 192.0.2.1 leaves by gateway gw-2, its egress IP is \
not known (no NodeState describes it), because policy internet covers it with 0.0.0.0/0 and \
round-robin gives the endpoint this gateway.",
    );
    const alone = (...gateways: object[]) => {
      const one = policy("p", { egressGateways: gateways });
      const objects = [...NODES, pod("web-1", ["10.0.1.5"]), one];
      return answer({ objects, destination: "192.0.2.1" });
    };
    const covered = "by gateway gw-1, because policy p covers it with 0.0.0.0/0 and";
    assert.match(alone(GW("1")), new RegExp(`${covered} this is its only gateway\\.$`));
    const other = `${covered} no other gateway of it resolves\\.$`;
    assert.match(alone(GW("9"), GW("1")), new RegExp(other));
    const none = [...NODES, pod("web-1", ["10.0.1.5"]), policy("p", { egressGateways: [GW("9")] })];
    assert.equal(
      answer({ objects: none, destination: "192.0.2.1" }),
      `${from} 192.0.2.1 is dropped on worker-1, because no gateway entry of policy p resolves to \
a node. Label a node so that an entry's nodeSelector matches it.`,
    );
    assert.equal(
      answer({ mapSize: 1, destination: "192.0.2.1" }),
      `${from} 192.0.2.1 is dropped on worker-1, because its node's policy map has no room for its \
rows. Raise the map size, or narrow the policies.`,
    );
    assert.equal(
      answer({ objects: [...NODES, pod("web-1", ["10.0.1.5"])] }),
      `Traffic from shop/web-1 (10.0.1.5) ${ordinary}, because no policy selects this endpoint.`,
    );
  });

  test("cuts long lists on a terminal and says so", () => {
    const others = Array.from({ length: 50 }, (_, i) => policy(`p${i}`, { selectors: [DB] }));
    const explanation = explained({ objects: [...OBJECTS, ...others] });
    const screen = makeScreen({ columns: 100, unicode: true, colour: false, linesMax: 40 });
    const told = (text: string) => text.split("\n").filter((line) => /^ +p\d+ /.test(line)).length;
    assert.equal(told(rendered(explanation)), 50);
    const cut = rendered(explanation, screen);
    assert.equal(told(cut), 40);
    assert.match(cut, /… 13 more: -o json shows all/);
  });

  test("promises nothing to an endpoint that is held [7.9, 8.7]", () => {
    const text = rendered(explained({ objects: OBJECTS, mapSize: 1 }));
    assert.ok(!text.includes("all else"));
    assert.match(text, /0\.0\.0\.0\/0 +is dropped on worker-1/);
  });

  test("names two entries on one node by their place in the policy [4.1]", () => {
    const twice = [GW("1"), { ...GW("1"), egressIP: "192.0.2.11" }];
    const objects = [...NODES, pod("web-1", ["10.0.1.5"]), policy("p", { egressGateways: twice })];
    const text = rendered(explained({ objects }));
    assert.match(text, /order +gw-1 \(egressGateways\[0\]\), gw-1 \(egressGateways\[1\]\), by/);
  });

  test("counts the nodes that an entry passes over, beyond a few [4.1]", () => {
    const many = Array.from({ length: 9 }, (_, i) => node(`gw-9${i}`, `10.9.0.${i}`, { gw: "9" }));
    const nine = policy("p", { egressGateways: [GW("9")] });
    const text = rendered(explained({ objects: [...many, pod("web-1", ["10.0.1.5"]), nine] }));
    const flat = text.replaceAll(/\s+/g, " ");
    assert.match(flat, /before gw-91, gw-92, gw-93, gw-94 and 4 more by name/);
  });
});

const EXPECTED = `\
Traffic from shop/web-1 (10.0.1.5) to 198.51.100.7 leaves with 192.0.2.10, by gateway gw-1, because
policy partner covers it with 198.51.100.0/24 and rendezvous gives the endpoint this gateway.

 1. Endpoint shop/web-1 [3.1, 3.2]
    object     Pod
    uid        web-1
    node       worker-1, 192.168.1.11
    addresses  10.0.1.5
    labels     app=web, io.kubernetes.pod.namespace=shop, tier=front
    namespace  kubernetes.io/metadata.name=shop, team=a
 2. Policy internet selects it [3.3, 3.4]
    selectors[0]  podSelector app=web matches; namespaceSelector team=a matches
    selectors[1]  podSelector app=db fails: app is web
 3. Gateways of internet [4.1, 6.8]
    egressGateways[0]  gw=1 resolves to gw-1, 192.168.1.1; egress IP 192.0.2.10 on eth1, of the
                       default route [6.3]
    egressGateways[1]  gw=2 resolves to gw-2, 192.168.1.2; egress IP unknown, no NodeState describes
                       gw-2 (kubectl get nodestates) [6.8]
    egressGateways[2]  gw=3 matches no node: left out; nearest gw-1 (gw=3 fails: gw is 1), gw-2
                       (gw=3 fails: gw is 2), worker-1 (gw=3 fails: no label gw)
 4. Distribution of internet: round-robin, the default [5.1, 5.6]
    order     gw-1, gw-2, by node name, egressIP, interface
    endpoint  place 0 of 2 endpoints, from 0, by address [5.4]
    gateway   0 mod 2 = 0: gw-1
 5. Policy partner selects it [3.3, 3.4]
    selectors[0]  podSelector app=web matches; nodeSelector zone=c fails: zone is a
    selectors[1]  podSelector app=db fails: app is web; nodeSelector zone=a matches
    nodes         the pooling decides [3.4]: the nodeSelectors of all rules count together, and
                  zone=a of selectors[1] matches node worker-1, although it belongs to another rule
                  than the pod's
 6. Gateways of partner [4.1, 6.8]
    egressGateways[0]  gw=1 resolves to gw-1, 192.168.1.1; egress IP 192.0.2.10 on eth1, of the
                       default route [6.3]
    egressGateways[1]  gw=2 resolves to gw-2, 192.168.1.2; egress IP unknown, no NodeState describes
                       gw-2 (kubectl get nodestates) [6.8]
 7. Distribution of partner: rendezvous, its annotation [5.3, 5.6]
    uid         web-1; the highest score wins
    2545092699  gw-1, key gw-1||: wins
    530224476   gw-2, key gw-2|192.0.2.20|
 8. Destination 198.51.100.7 [7.3, 7.4, 8.2]
    198.51.100.0/24  partner: wins
    0.0.0.0/0        internet: loses, 198.51.100.0/24 of partner is longer
    0.0.0.0/0        partner: loses, 198.51.100.0/24 of partner is longer
    cluster          not an address of a node, pod or service, in no podCIDR, ServiceCIDR, IPPool or
                     --cluster-cidr; what the input does not describe, --cluster-cidr names
 9. Packet that opens a flow [8.3]
    worker-1  row 10.0.1.5 to 198.51.100.0/24 says gateway 192.168.1.1, by tunnel to gw-1
    gw-1      its source becomes 192.0.2.10
10. 1 policy does not select it [3.3, 3.4]
    pooled  selectors[0]: podSelector app=web matches
            selectors[1]: podSelector app=db fails: app is web; nodeSelector zone=b fails: zone is a
            the pooling decides [3.4]: selectors[0] matches and has no nodeSelector, but other rules
            have one: all of them count together, and none matches node worker-1
`;
