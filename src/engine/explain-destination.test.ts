// What becomes of packets to one destination, and which claims lose.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { present } from "../lib/assert.ts";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import type { ExplainQuestion } from "../../test/support/explained.ts";
import { explained, GW, NODES, nodeState, pod, policy } from "../../test/support/explained.ts";

const WEB_1 = pod("web-1", ["10.0.1.5"]);
const OUTSIDE = "198.51.100.7";
const DB = { podSelector: { matchLabels: { app: "db" } } };

const RANGES = [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { clusterIP: "172.20.0.80", externalIPs: ["203.0.113.80"] },
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: "all" },
    spec: { cidrs: ["172.20.0.0/16"] },
  },
  {
    apiVersion: "projectcalico.org/v3",
    kind: "IPPool",
    metadata: { name: "pods" },
    spec: { cidr: "10.244.0.0/16" },
  },
];

describe("explaining a destination", () => {
  function destinationOf(question: Partial<ExplainQuestion>, ...objects: readonly unknown[]) {
    const asked = { destination: OUTSIDE, ...question, objects: [...NODES, WEB_1, ...objects] };
    return present(explained(asked).destinations[0], "the destination");
  }

  test("tunnels to the gateway, whose own state gives the egress IP [8.3]", () => {
    const { verdict, outcome } = destinationOf({}, policy("p"));
    assert.equal(verdict?.kind, "tunnel");
    assert.ok(outcome.kind === "leaves");
    assert.equal(renderAddress(present(outcome.egressIP, "egress IP")), "192.0.2.10");
    assert.deepEqual([outcome.node, outcome.tunnelled, outcome.heldThere], ["gw-1", true, 0]);
  });

  test("does not guess the egress IP of a gateway whose state is unknown [6.8]", () => {
    const { outcome } = destinationOf({}, policy("p", { egressGateways: [GW("2")] }));
    assert.ok(outcome.kind === "leaves");
    assert.equal(outcome.egressIP, null);
  });

  test("leaves from the pod's own node where that is the gateway [8.3]", () => {
    const here = pod("web-2", ["10.0.1.6"], { node: "gw-1" });
    const { outcome } = destinationOf({ pod: "web-2" }, here, policy("p"));
    assert.ok(outcome.kind === "leaves");
    assert.deepEqual([outcome.node, outcome.tunnelled], ["gw-1", false]);
  });

  test("drops without gateway at once, without egress IP at the gateway [4.3, 6.5]", () => {
    const none = destinationOf({}, policy("p", { egressGateways: [GW("9")] })).outcome;
    assert.ok(none.kind === "drop");
    assert.deepEqual([none.reason, none.node, none.tunnelled], ["NoGateway", "worker-1", false]);
    const eth9 = { egressGateways: [{ ...GW("1"), interface: "eth9" }] };
    const there = destinationOf({}, policy("p", eth9)).outcome;
    assert.ok(there.kind === "drop");
    assert.deepEqual([there.reason, there.node, there.tunnelled], ["NoEgressIP", "gw-1", true]);
    assert.equal(there.problem, "the node has no interface eth9");
    const here = pod("web-2", ["10.0.1.6"], { node: "gw-1" });
    const local = destinationOf({ pod: "web-2" }, here, policy("p", eth9)).outcome;
    assert.ok(local.kind === "drop");
    assert.deepEqual([local.reason, local.node, local.tunnelled], ["NoEgressIP", "gw-1", false]);
  });

  test("ranks longest prefix, older policy, own exclusion, and says why each loses [7.3]", () => {
    const old = { creationTimestamp: "2023-01-01T00:00:00Z" };
    const cidrs = ["198.51.100.0/24", "0.0.0.0/0"];
    const { claims, outcome } = destinationOf(
      {},
      policy("young", { destinationCIDRs: cidrs }),
      policy("old", { destinationCIDRs: cidrs, excludedCIDRs: ["198.51.100.0/24"] }, old),
    );
    assert.deepEqual(
      claims.map((one) => [one.policy, renderPrefix(one.prefix), one.exclusion, one.defeat]),
      [
        ["old", "198.51.100.0/24", true, undefined],
        ["old", "198.51.100.0/24", false, "OwnExclusion"],
        ["young", "198.51.100.0/24", false, "OlderPolicy"],
        ["old", "0.0.0.0/0", false, "LongerPrefix"],
        ["young", "0.0.0.0/0", false, "LongerPrefix"],
      ],
    );
    assert.deepEqual(outcome, { kind: "ordinary", reason: "Excluded" });
  });

  test("lets an exclusion cut another policy, outside its own destinations too [7.4]", () => {
    const cutter = { destinationCIDRs: ["203.0.113.0/24"], excludedCIDRs: ["198.51.100.0/25"] };
    const { claims, outcome } = destinationOf({}, policy("p"), policy("q", cutter));
    assert.deepEqual(
      claims.map((one) => [one.policy, one.defeat]),
      [["q", undefined], ["p", "LongerPrefix"]],
    );
    assert.deepEqual(outcome, { kind: "ordinary", reason: "Excluded" });
  });

  test("leaves the cluster's own addresses alone, whatever covers them [8.1, 8.2]", () => {
    const other = pod("db", ["10.7.7.7"], { labels: {} });
    const ask = (destination: string) => {
      const question = { destination, clusterCidrs: ["10.96.0.0/12"] };
      const { outcome, verdict } = destinationOf(question, other, ...RANGES, policy("p"));
      assert.ok(outcome.kind === "untouched", destination);
      assert.equal(verdict, undefined);
      return outcome.place;
    };
    assert.deepEqual(ask("10.7.7.7"), { kind: "pod", name: "shop/db" });
    assert.deepEqual(ask("192.168.1.2"), { kind: "node", name: "gw-2" });
    assert.equal(ask("10.0.1.200").kind, "pod-cidr");
    assert.equal(ask("10.96.0.1").kind, "cluster-cidr");
    assert.deepEqual(ask("203.0.113.80"), { kind: "service", name: "shop/web" });
    const [services, pool] = [ask("172.20.3.4"), ask("10.244.7.7")];
    assert.ok(services.kind === "service-cidr" && pool.kind === "ip-pool");
    assert.deepEqual([services.name, renderPrefix(services.prefix)], ["all", "172.20.0.0/16"]);
    assert.deepEqual([pool.name, renderPrefix(pool.prefix)], ["pods", "10.244.0.0/16"]);
  });

  test("leaves alone what is link-local, multicast or broadcast, and no neighbour [8.1]", () => {
    const v6 = [pod("web-1", ["10.0.1.5", "fd00::5"])];
    const all = policy("p", { destinationCIDRs: ["0.0.0.0/0", "::/0"] });
    const ask = (destination: string) => destinationOf({ destination }, ...v6, all).outcome;
    const near = [
      ...["169.254.169.254", "224.0.0.251", "239.255.255.255", "255.255.255.255"],
      ...["fe80::1", "febf::1", "ff02::fb"],
    ];
    for (const destination of near) {
      const outcome = ask(destination);
      assert.ok(outcome.kind === "untouched" && outcome.place.kind === "link", destination);
    }
    for (const destination of ["169.253.0.1", "240.0.0.1", "255.255.255.254", "fec0::1"]) {
      assert.notEqual(ask(destination).kind, "untouched", destination);
    }
  });

  test("goes the ordinary path where nothing selects or covers [8.3]", () => {
    assert.deepEqual(destinationOf({}, policy("p", { selectors: [DB] })).outcome, {
      kind: "ordinary",
      reason: "NotSelected",
    });
    const narrow = policy("p", { destinationCIDRs: ["203.0.113.0/24"] });
    assert.deepEqual(destinationOf({}, narrow).outcome, {
      kind: "ordinary",
      reason: "NotCovered",
    });
  });

  test("counts only addresses of the destination's family [5.5, 7.1]", () => {
    const all = policy("p", { destinationCIDRs: ["0.0.0.0/0", "::/0"] });
    const dual = pod("web-2", ["10.0.1.6", "fd00::6"]);
    const six = nodeState("gw-1", "192.0.2.10/24", "2001:db8::10/64");
    const { outcome, sources } = destinationOf(
      { pod: "web-2", destination: "2001:db8:1::1" },
      dual,
      six,
      all,
    );
    assert.deepEqual(sources.map(renderAddress), ["fd00::6"]);
    assert.ok(outcome.kind === "leaves");
    assert.equal(renderAddress(present(outcome.egressIP, "egress IP")), "2001:db8::10");
    const without = destinationOf({ destination: "2001:db8:1::1" }, all);
    assert.deepEqual(without.outcome, { kind: "no-source", family: "IPv6" });
  });

  test("holds an endpoint whose rows its node has no room for [7.9, 8.7]", () => {
    for (const destination of [OUTSIDE, "192.0.2.200"]) {
      const { outcome, verdict } = destinationOf(
        { mapSize: 1, destination },
        policy("p", { destinationCIDRs: ["198.51.100.0/24", "203.0.113.0/24"] }),
      );
      assert.ok(outcome.kind === "drop");
      assert.equal(outcome.reason, "MapFull");
      assert.equal(verdict, undefined);
    }
  });

  test("warns where the gateway's maps have no room for somebody [7.9]", () => {
    const elsewhere = pod("web-2", ["10.0.2.6"], { node: "worker-2" });
    const { outcome } = destinationOf({ mapSize: 1 }, elsewhere, policy("p"));
    assert.ok(outcome.kind === "leaves");
    assert.equal(outcome.heldThere, 1);
  });
});
