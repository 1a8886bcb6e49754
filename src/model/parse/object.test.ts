import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress, renderAddress } from "../../net/address.ts";
import { renderPrefix } from "../../net/prefix.ts";
import type { Labels } from "../labels.ts";
import { renderLabels } from "../labels.ts";
import type { ObjectChange, ObjectKinds } from "../objects.ts";
import { NEWEST } from "../policy.ts";
import { parseObject } from "./object.ts";

type Raw = Record<string, unknown>;

function parse(raw: unknown): ObjectChange {
  const parsed = parseObject(raw);
  assert.equal(parsed.kind, "object");
  return parsed.change;
}

/** The value of an object of this kind, which must be accepted without a word. */
function accepted<K extends keyof ObjectKinds>(kind: K, raw: Raw): ObjectKinds[K] {
  const change = parse({ kind, ...raw });
  assert.deepEqual(change.issues, []);
  assert.equal(change.kind, kind);
  return change.value as ObjectKinds[K];
}

const UID = "7c22952d-25a0-409d-952c-60895b5c2a90";

describe("a CiliumEndpoint", () => {
  test("names its Pod, its identity and its node's address [3.1, 3.2]", () => {
    const value = accepted("CiliumEndpoint", {
      apiVersion: "cilium.io/v2",
      metadata: {
        name: "web-1",
        namespace: "shop",
        uid: "cep-uid",
        ownerReferences: [{ kind: "Job", uid: "x" }, { kind: "Pod", uid: UID }],
      },
      status: {
        identity: { id: 4711, labels: ["k8s:app=web"] },
        networking: { addressing: [{ ipv4: "10.0.0.5", ipv6: "fd00::5" }], node: "192.168.1.1" },
      },
    });
    assert.equal(value.uid, "cep-uid");
    assert.equal(value.podUid, UID);
    assert.equal(value.identity, "4711");
    assert.deepEqual(value.addresses.map(renderAddress), ["10.0.0.5", "fd00::5"]);
    assert.equal(value.nodeAddress, parseAddress("192.168.1.1"));
  });

  test("may have neither owner, identity, addresses nor node yet", () => {
    const raw = { apiVersion: "cilium.io/v2", metadata: { name: "w" } };
    const value = accepted("CiliumEndpoint", raw);
    assert.deepEqual(value, {
      uid: "default/w",
      namespace: "default",
      name: "w",
      podUid: "",
      identity: "",
      addresses: [],
      nodeAddress: undefined,
      createdAt: NEWEST,
    });
  });
});

test("a CiliumIdentity's labels lose the sources k8s, any and unspec; others stay [3.2]", () => {
  const labels: Labels = accepted("CiliumIdentity", {
    apiVersion: "cilium.io/v2",
    metadata: { name: "4711" },
    "security-labels": {
      "k8s:app": "web",
      "k8s:io.kubernetes.pod.namespace": "shop",
      "any:a": "1",
      "unspec:b": "2",
      c: "3",
      "reserved:host": "",
      "container:x:y": "z",
    },
  });
  assert.equal(
    renderLabels(labels),
    "a=1,app=web,b=2,c=3,container.x:y=z,io.kubernetes.pod.namespace=shop,reserved.host=",
  );
});

test("a Namespace is its labels, and its name as the label that every cluster sets [3.2]", () => {
  const labelsOf = (labels: Raw | undefined) => {
    const raw = { apiVersion: "v1", metadata: { name: "shop", labels } };
    return renderLabels(accepted("Namespace", raw));
  };
  assert.equal(labelsOf({ team: "a" }), "kubernetes.io/metadata.name=shop,team=a");
  assert.equal(labelsOf(undefined), "kubernetes.io/metadata.name=shop");
  const name = "kubernetes.io/metadata.name";
  assert.equal(labelsOf({ [name]: "other" }), `${name}=shop`);
});

describe("a Node", () => {
  test("has its first internal IPv4 address as gateway IP, and all its addresses [4.2]", () => {
    const value = accepted("Node", {
      apiVersion: "v1",
      metadata: { name: "n1", labels: { gw: "a" } },
      spec: { podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24", "fd00:1::/64"] },
      status: {
        addresses: [
          { type: "ExternalIP", address: "203.0.113.1" },
          { type: "InternalIP", address: "fd00::1" },
          { type: "InternalIP", address: "192.168.1.2" },
          { type: "InternalIP", address: "192.168.1.1" },
          { type: "Hostname", address: "n1.example.com" },
        ],
      },
    });
    assert.equal(value.internalIPv4, parseAddress("192.168.1.2"));
    const all = ["192.168.1.1", "192.168.1.2", "203.0.113.1", "fd00::1"];
    assert.deepEqual(value.addresses.map(renderAddress), all);
    assert.deepEqual(value.podCIDRs.map(renderPrefix), ["10.1.0.0/24", "fd00:1::/64"]);
    assert.equal(renderLabels(value.labels), "gw=a");
  });

  test("may have no address [4.1]", () => {
    const { internalIPv4 } = accepted("Node", { apiVersion: "v1", metadata: { name: "n" } });
    assert.equal(internalIPv4, undefined);
  });

  test("is described by a CiliumNode too [4.2]", () => {
    const value = accepted("CiliumNode", {
      apiVersion: "cilium.io/v2",
      metadata: { name: "n1" },
      spec: {
        addresses: [
          { type: "CiliumInternalIP", ip: "10.1.0.1" },
          { type: "InternalIP", ip: "192.168.1.1" },
        ],
        ipam: { podCIDRs: ["10.1.0.0/24"] },
      },
    });
    assert.equal(value.internalIPv4, parseAddress("192.168.1.1"));
    assert.deepEqual(value.addresses.map(renderAddress), ["10.1.0.1", "192.168.1.1"]);
    assert.deepEqual(value.podCIDRs.map(renderPrefix), ["10.1.0.0/24"]);
  });
});

describe("what else is inside the cluster", () => {
  test("a Service has cluster, external and load balancer addresses [8.2]", () => {
    const value = accepted("Service", {
      apiVersion: "v1",
      metadata: { name: "web", namespace: "shop" },
      spec: {
        clusterIP: "10.96.0.7",
        clusterIPs: ["10.96.0.7", "fd00::7"],
        externalIPs: ["203.0.113.7"],
      },
      status: { loadBalancer: { ingress: [{ ip: "203.0.113.8" }, { hostname: "lb.example" }] } },
    });
    const all = ["10.96.0.7", "203.0.113.7", "203.0.113.8", "fd00::7"];
    assert.deepEqual(value.addresses.map(renderAddress), all);
    const bare = { apiVersion: "v1", metadata: { name: "web" } };
    for (const spec of [{ clusterIP: "None", clusterIPs: ["None"] }, { clusterIP: "" }, {}]) {
      assert.deepEqual(accepted("Service", { ...bare, spec }).addresses, []);
    }
  });

  test("a ServiceCIDR and an IPPool are prefixes, in each version that is served [8.2]", () => {
    for (const version of ["v1", "v1beta1"]) {
      const apiVersion = `networking.k8s.io/${version}`;
      const spec = { cidrs: ["10.96.0.1/16", "fd00::/108"] };
      const value = accepted("ServiceCIDR", { apiVersion, metadata: { name: "a" }, spec });
      assert.deepEqual(value.map(renderPrefix), ["10.96.0.0/16", "fd00::/108"]);
    }
    for (const apiVersion of ["crd.projectcalico.org/v1", "projectcalico.org/v3"]) {
      const spec = { cidr: "10.244.0.0/16", disabled: true };
      const value = accepted("IPPool", { apiVersion, metadata: { name: "a" }, spec });
      assert.deepEqual(value.map(renderPrefix), ["10.244.0.0/16"]);
    }
  });

  const refused: [string, string, unknown, string, string][] = [
    ["ServiceCIDR", "networking.k8s.io/v1", {}, "MissingField", "spec.cidrs"],
    ["ServiceCIDR", "networking.k8s.io/v1", { cidrs: ["x"] }, "InvalidPrefix", "spec.cidrs[0]"],
    ["IPPool", "projectcalico.org/v3", {}, "MissingField", "spec.cidr"],
    ["IPPool", "projectcalico.org/v3", { cidr: "10.0.0.0" }, "InvalidPrefix", "spec.cidr"],
    ["Service", "v1", { externalIPs: ["x"] }, "InvalidAddress", "spec.externalIPs[0]"],
  ];
  for (const [kind, apiVersion, spec, code, path] of refused) {
    test(`a ${kind} with ${JSON.stringify(spec)} is refused [8.2]`, () => {
      const change = parse({ kind, apiVersion, metadata: { name: "a" }, spec });
      assert.deepEqual(change.issues.map((one) => [one.code, one.path]), [[code, path]]);
      assert.ok(change.refused);
    });
  }
});
