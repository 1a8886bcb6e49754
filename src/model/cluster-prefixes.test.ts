import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { parsePrefix, renderPrefix } from "../net/prefix.ts";
import { Cluster } from "./cluster.ts";
import type { ClusterPrefixes } from "./cluster-prefixes.ts";
import { coversAddress, coversPrefix, outermost } from "./cluster-prefixes.ts";
import { parseObject } from "./parse/object.ts";

function prefixes(...texts: string[]): Prefix[] {
  return texts.map((text) => parsePrefix(text) ?? assert.fail(text));
}

const NEAR = ["169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "fe80::/10", "ff00::/8"];

/** Without what is near to everybody. */
function rendered({ all, pods, known }: ClusterPrefixes) {
  const far = all.map(renderPrefix).filter((prefix) => !NEAR.includes(prefix));
  return { all: far, pods: pods.map(renderPrefix), known };
}

/** Applies raw objects; `null` instead of a spec deletes the object. */
function apply(cluster: Cluster, ...raws: readonly Record<string, unknown>[]): void {
  cluster.apply(
    raws.map((raw) => {
      const parsed = parseObject(raw);
      if (parsed.kind !== "object") return assert.fail(JSON.stringify(raw));
      return raw["spec"] === null ? { ...parsed.change, value: undefined } : parsed.change;
    }),
  );
}

function node(name: string, podCIDR: string | undefined, ip?: string) {
  const addresses = ip === undefined ? [] : [{ type: "InternalIP", address: ip }];
  const [metadata, status] = [{ name, labels: {} }, { addresses }];
  return { apiVersion: "v1", kind: "Node", metadata, spec: { podCIDR }, status };
}

function pod(name: string, ip: string) {
  const status = { podIP: ip };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, uid: name }, spec: {}, status };
}

const POOL = {
  apiVersion: "projectcalico.org/v3",
  kind: "IPPool",
  metadata: { name: "pool" },
  spec: { cidr: "10.9.0.0/16" },
};

describe("what is inside the cluster", () => {
  test("is what every kind of object says, prefixes inside others left out [8.2]", () => {
    const cluster = new Cluster();
    apply(
      cluster,
      node("n1", "10.0.1.0/24", "192.168.1.1"),
      node("n2", "10.0.2.0/24", "10.0.1.250"),
      POOL,
      pod("covered", "10.0.1.7"),
      pod("stray", "10.7.7.7"),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { clusterIPs: ["10.96.3.4", "fd00:96::4"], externalIPs: ["203.0.113.50"] },
        status: { loadBalancer: { ingress: [{ ip: "203.0.113.60" }, { hostname: "lb" }] } },
      },
      {
        apiVersion: "networking.k8s.io/v1beta1",
        kind: "ServiceCIDR",
        metadata: { name: "kubernetes" },
        spec: { cidrs: ["10.96.0.0/16"] },
      },
    );
    const extra = prefixes("172.16.0.0/12");
    assert.deepEqual(rendered(cluster.prefixes({ extra })), {
      all: [
        ...["10.0.1.0/24", "10.0.2.0/24", "10.7.7.7/32", "10.9.0.0/16", "10.96.0.0/16"],
        ...["172.16.0.0/12", "192.168.1.1/32", "203.0.113.50/32", "203.0.113.60/32"],
        "fd00:96::4/128",
      ],
      pods: ["10.0.1.0/24", "10.0.2.0/24", "10.7.7.7/32", "10.9.0.0/16"],
      known: true,
    });
    const { podsOf } = cluster.prefixes({ extra });
    assert.deepEqual(podsOf("n2").map(renderPrefix), ["10.0.2.0/24"]);
    assert.deepEqual(podsOf("nobody"), []);
  });

  test("is what is near to everybody, besides [8.2]", () => {
    const cluster = new Cluster();
    apply(cluster, node("n1", undefined, "169.254.7.7"), pod("web", "fe80::7"));
    assert.deepEqual(cluster.prefixes({ extra: [] }).all.map(renderPrefix), NEAR);
    const extra = prefixes("128.0.0.0/1");
    const told = cluster.prefixes({ extra }).all.map(renderPrefix);
    assert.deepEqual(told, ["128.0.0.0/1", "fe80::/10", "ff00::/8"]);
  });

  test("is not known from addresses alone [8.2]", () => {
    const cluster = new Cluster();
    apply(cluster, node("n1", undefined, "192.168.1.1"), pod("web", "10.0.1.7"));
    const found = rendered(cluster.prefixes({ extra: [] }));
    const all = ["10.0.1.7/32", "192.168.1.1/32"];
    assert.deepEqual(found, { all, pods: ["10.0.1.7/32"], known: false });
    const extra = prefixes("10.0.0.0/16");
    const told = rendered(cluster.prefixes({ extra }));
    assert.deepEqual(told.all, ["10.0.0.0/16", "192.168.1.1/32"]);
    // Where no object says where pods are, this does; not one route for each pod.
    assert.deepEqual([told.pods, told.known], [["10.0.0.0/16"], true]);
  });

  test("is the same object until something in it changes [5.8, 8.2]", () => {
    const cluster = new Cluster();
    apply(cluster, node("n1", "10.0.1.0/24"), pod("web", "10.0.1.7"));
    const first = cluster.prefixes({ extra: [] });
    apply(cluster, { ...node("n1", "10.0.1.0/24"), metadata: { name: "n1", labels: { a: "b" } } });
    apply(cluster, pod("more", "10.0.1.8"), { ...pod("web", ""), spec: null });
    assert.equal(cluster.prefixes({ extra: [] }), first);
    apply(cluster, pod("stray", "10.7.7.7"));
    const second = cluster.prefixes({ extra: [] });
    assert.deepEqual(rendered(second).all, ["10.0.1.0/24", "10.7.7.7/32"]);
    apply(cluster, { ...pod("stray", "10.7.7.7"), spec: null });
    assert.deepEqual(rendered(cluster.prefixes({ extra: [] })), rendered(first));
  });

  test("finds endpoints again that lost their prefix, and drops those that got one [8.2]", () => {
    const cluster = new Cluster();
    apply(cluster, node("n1", "10.0.1.0/24"), pod("web", "10.0.1.7"), pod("db", "10.9.0.1"));
    const pods = () => cluster.prefixes({ extra: [] }).pods.map(renderPrefix);
    assert.deepEqual(pods(), ["10.0.1.0/24", "10.9.0.1/32"]);
    apply(cluster, POOL);
    assert.deepEqual(pods(), ["10.0.1.0/24", "10.9.0.0/16"]);
    apply(cluster, node("n1", undefined), { ...POOL, spec: { cidr: "10.0.0.0/14" } });
    assert.deepEqual(pods(), ["10.0.0.0/14", "10.9.0.1/32"]);
  });
});

describe("a list of prefixes", () => {
  test("keeps those that no other contains, in both families", () => {
    const all = ["10.0.0.0/8", "10.0.0.0/24", "10.1.0.0/16", "11.0.0.0/32", "::/0", "fd00::/8"];
    const kept = outermost(prefixes(...all.reverse(), "10.0.0.0/8")).map(renderPrefix);
    assert.deepEqual(kept, ["10.0.0.0/8", "11.0.0.0/32", "::/0"]);
  });

  test("covers what lies in one of them", () => {
    const sorted = prefixes("10.0.0.0/24", "10.0.2.0/24", "fd00::/64");
    const covers = (text: string) => {
      return coversAddress(sorted, parseAddress(text) ?? assert.fail(text));
    };
    assert.deepEqual(["10.0.0.0", "10.0.0.255", "10.0.2.9", "fd00::1"].map(covers), [
      ...[true, true, true, true],
    ]);
    assert.deepEqual(["9.255.255.255", "10.0.1.0", "10.0.3.0", "fd00:0:0:1::", "::"].map(covers), [
      ...[false, false, false, false, false],
    ]);
    assert.ok(prefixes("10.0.2.0/24", "10.0.2.8/29").every((one) => coversPrefix(sorted, one)));
    assert.ok(!prefixes("10.0.2.0/23", "::/0").some((one) => coversPrefix(sorted, one)));
  });
});
