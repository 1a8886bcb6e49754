import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ObjectChange } from "../objects.ts";
import { NEWEST } from "../policy.ts";
import { parseObject } from "./object.ts";

function parse(raw: unknown): ObjectChange {
  const parsed = parseObject(raw);
  assert.equal(parsed.kind, "object");
  return parsed.change;
}

describe("which kind an object is", () => {
  test("its kind and apiVersion say together; the same kind elsewhere is another one", () => {
    assert.deepEqual(parseObject({ apiVersion: "apps/v1", kind: "Deployment" }), {
      kind: "other",
      name: "Deployment",
    });
    assert.deepEqual(parseObject({ apiVersion: "example.com/v1", kind: "Pod" }), {
      kind: "other",
      name: "Pod (example.com/v1)",
    });
    assert.equal(parseObject({ apiVersion: "v1", kind: "constructor" }).kind, "other");
  });

  const versions: [string, string, string][] = [
    ["CiliumEgressGatewayPolicy", "cilium.io/v2alpha1", "cilium.io/v2"],
    ["CiliumEgressGatewayPolicy", "cillium.io/v2", "cilium.io/v2"],
    ["Pod", "v2", "v1"],
    ["ServiceCIDR", "networking.k8s.io/v1alpha1", "networking.k8s.io/v1"],
  ];
  for (const [kind, apiVersion, meant] of versions) {
    test(`a ${kind} of ${apiVersion} is that object, refused [2.3, 2.4]`, () => {
      const raw = { kind, apiVersion, metadata: { name: "a", uid: "b" } };
      const right = parse({ ...raw, apiVersion: meant });
      const { refused, key, issues } = parse(raw);
      assert.deepEqual([refused, key], [true, right.key]);
      assert.deepEqual(issues.map(({ code, path }) => [code, path]), [
        ["UnknownVersion", "apiVersion"],
      ]);
      assert.equal(issues[0]?.message, `"${apiVersion}" is not read; write ${meant}`);
    });
  }

  const misspelt: [string, string, string][] = [
    ["CiliumEgressGatewayPolicies", "cilium.io/v2", "CiliumEgressGatewayPolicy"],
    ["CiliumEgresGatewayPolicy", "cilium.io/v2alpha1", "CiliumEgressGatewayPolicy"],
    ["pod", "v1", "Pod"],
    ["NodeStates", "sluice.dev/v1alpha1", "NodeState"],
  ];
  for (const [kind, apiVersion, meant] of misspelt) {
    test(`${kind} of ${apiVersion} is refused as a slip of the pen [2.4]`, () => {
      const parsed = parseObject({ kind, apiVersion, metadata: { name: "a" } });
      assert.equal(parsed.kind, "invalid");
      assert.deepEqual(parsed.issues.map(({ code, path }) => [code, path]), [
        ["UnknownKind", "kind"],
      ]);
      assert.match(parsed.issues[0]?.message ?? "", new RegExp(`; write ${meant}$`));
    });
  }

  test("the kinds that our groups have beside ours are no slips", () => {
    const others = {
      v1:
        "Binding ConfigMap Endpoints Event LimitRange PersistentVolume PersistentVolumeClaim " +
        "PodTemplate ReplicationController ResourceQuota Secret ServiceAccount ComponentStatus " +
        "Status PodProxyOptions NodeProxyOptions ServiceProxyOptions PodStatusResult",
      "cilium.io/v2":
        "CiliumNetworkPolicy CiliumClusterwideNetworkPolicy CiliumEndpointSlice CiliumNodeConfig " +
        "CiliumLocalRedirectPolicy CiliumEnvoyConfig CiliumClusterwideEnvoyConfig " +
        "CiliumExternalWorkload CiliumCIDRGroup CiliumLoadBalancerIPPool CiliumBGPPeerConfig " +
        "CiliumBGPClusterConfig CiliumBGPAdvertisement CiliumBGPNodeConfig CiliumPodIPPool " +
        "CiliumBGPNodeConfigOverride CiliumL2AnnouncementPolicy CiliumGatewayClassConfig " +
        "CiliumEgressNATPolicy CiliumBGPPeeringPolicy CiliumVTEPConfig CiliumVTEPPolicy",
      "crd.projectcalico.org/v1":
        "BGPConfiguration BGPPeer BlockAffinity CalicoNodeStatus ClusterInformation Tier " +
        "FelixConfiguration GlobalNetworkPolicy GlobalNetworkSet HostEndpoint IPAMBlock " +
        "IPAMConfig IPAMHandle IPReservation KubeControllersConfiguration NetworkPolicy " +
        "NetworkSet Profile Node WorkloadEndpoint Service",
      "networking.k8s.io/v1": "Ingress IngressClass IPAddress NetworkPolicy ClusterCIDR",
      "serving.knative.dev/v1": "Service Route",
      "metrics.k8s.io/v1beta1": "PodMetrics NodeMetrics Pod Node",
    };
    for (const [apiVersion, kinds] of Object.entries(others)) {
      for (const kind of kinds.split(" ")) {
        assert.equal(parseObject({ kind, apiVersion }).kind, "other", `${kind} (${apiVersion})`);
      }
    }
  });

  const invalid: [string, unknown, string][] = [
    ["no mapping", "text", "must be an object, not \"text\""],
    ["a list", [], "must be an object, not a list"],
    ["no kind", { apiVersion: "v1" }, "has no kind; write one like kind: Pod"],
    [
      "no apiVersion",
      { kind: "CiliumNode" },
      "a CiliumNode has no apiVersion; write one like apiVersion: cilium.io/v2",
    ],
    [
      "a List whose items are none",
      { apiVersion: "v1", kind: "List", items: 1 },
      "the items of a List must be a list, not the number 1",
    ],
  ];
  for (const [what, raw, message] of invalid) {
    test(`${what} is no object`, () => {
      const parsed = parseObject(raw);
      assert.equal(parsed.kind, "invalid");
      assert.deepEqual(parsed.issues.map(({ code }) => code), ["NotAnObject"]);
      assert.equal(parsed.issues[0]?.message, message);
    });
  }

  test("a List gives its items, and a PodList says what they are", () => {
    const items = [{ metadata: { name: "web" } }];
    assert.deepEqual(parseObject({ apiVersion: "v1", kind: "List", items }), {
      kind: "list",
      items,
      itemType: undefined,
    });
    const list = parseObject({ apiVersion: "v1", kind: "PodList", items });
    assert.equal(list.kind, "list");
    assert.deepEqual(list.itemType, { apiVersion: "v1", kind: "Pod" });
    const item = parseObject(items[0], list.itemType);
    assert.equal(item.kind === "object" && item.change.kind, "Pod");
    assert.deepEqual(parseObject({ apiVersion: "v1", kind: "List", items: null }), {
      kind: "list",
      items: [],
      itemType: undefined,
    });
  });

  test("says how old a version of an object is", () => {
    const parsed = parseObject({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "a", resourceVersion: "123", generation: 4 },
    });
    assert.deepEqual(parsed.kind === "object" && parsed.version, {
      resourceVersion: 123,
      generation: 4,
      createdAt: NEWEST,
    });
  });
});
