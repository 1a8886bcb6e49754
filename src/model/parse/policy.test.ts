import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderPrefix } from "../../net/prefix.ts";
import type { Policy } from "../policy.ts";
import { NEWEST } from "../policy.ts";
import { renderSelector } from "../selector.ts";
import { parseObject } from "./object.ts";

type Raw = Record<string, unknown>;

const GOOD_SPEC: Raw = {
  selectors: [{ podSelector: { matchLabels: { app: "web" } } }],
  destinationCIDRs: ["0.0.0.0/0"],
  egressGateway: { nodeSelector: { matchLabels: { gw: "a" } }, interface: "eth1" },
};
const GATEWAY: Raw = { nodeSelector: { matchLabels: { gw: "a" } } };

function parse(spec: unknown, metadata: Raw = {}) {
  const parsed = parseObject({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: "p", ...metadata },
    spec,
  });
  assert.equal(parsed.kind, "object");
  return parsed.change;
}

/** The issues of a policy whose spec is good but for these fields, as `code path: message`. */
function issuesOf(spec: Raw, metadata: Raw = {}): string[] {
  const { issues } = parse({ ...GOOD_SPEC, ...spec }, metadata);
  return issues.map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

function policyOf(spec: Raw, metadata: Raw = {}): Policy {
  const change = parse({ ...GOOD_SPEC, ...spec }, metadata);
  assert.deepEqual(change.issues.filter(({ severity }) => severity === "error"), []);
  return change.value as Policy;
}

describe("an accepted policy", () => {
  test("has its name, its age, its rules and its gateway [1.1, 1.2, 1.4]", () => {
    const policy = policyOf({}, { creationTimestamp: "2024-05-01T10:11:12.75Z" });
    assert.equal(policy.name, "p");
    assert.equal(policy.createdAt, Date.UTC(2024, 4, 1, 10, 11, 12) / 1000);
    assert.deepEqual(policy.rules, [
      {
        pod: [{ key: "app", operator: "In", values: ["web"] }],
        namespace: undefined,
        node: undefined,
      },
    ]);
    assert.deepEqual(policy.gateways, [
      {
        entry: 0,
        nodeSelector: [{ key: "gw", operator: "In", values: ["a"] }],
        egressIPText: "",
        egressIP: undefined,
        interface: "eth1",
      },
    ]);
    assert.equal(policy.listed, false);
    assert.equal(policy.distribution, undefined);
  });

  test("is newest without a creationTimestamp, null is the same as absent [3.6]", () => {
    assert.equal(policyOf({}).createdAt, NEWEST);
    assert.equal(policyOf({ excludedCIDRs: null }, { creationTimestamp: null }).createdAt, NEWEST);
  });

  test("has prefixes of both families masked, sorted and without repetitions [1.3, 2.2]", () => {
    const written = ["fd00::1/8", "10.1.2.3/8", "192.0.2.0/24", "10.0.0.0/8"];
    const { destinations } = policyOf({ destinationCIDRs: written });
    assert.deepEqual(destinations.map(renderPrefix), ["10.0.0.0/8", "192.0.2.0/24", "fd00::/8"]);
  });

  test("takes the three forms of gateways, and the list counts [1.5, 1.6]", () => {
    const list = [GATEWAY, { nodeSelector: {}, egressIP: "2001:DB8::7" }];
    const { gateways, listed } = policyOf({ egressGateway: undefined, egressGateways: list });
    assert.equal(listed, true);
    assert.deepEqual(gateways.map(({ entry, egressIPText }) => [entry, egressIPText]), [
      [0, ""],
      [1, "2001:DB8::7"],
    ]);
    assert.equal(policyOf({ egressGateways: list }).gateways.length, 2);
    assert.equal(policyOf({ egressGateways: [] }).listed, false);
  });

  test("has 64 gateways at most [1.5, 2.1]", () => {
    const limit = new Array<Raw>(64).fill(GATEWAY);
    assert.equal(policyOf({ egressGateway: null, egressGateways: limit }).gateways.length, 64);
    assert.deepEqual(issuesOf({ egressGateway: null, egressGateways: [...limit, GATEWAY] }), [
      "TooManyGateways spec.egressGateways: 65 gateways are more than 64; split the policy",
    ]);
  });

  test("treats an empty interface or egressIP as absent", () => {
    const gateway = { ...GATEWAY, interface: "eth1", egressIP: "" };
    assert.equal(policyOf({ egressGateway: gateway }).gateways[0]?.egressIP, undefined);
  });

  test("prefixes a namespaceSelector's keys; an empty one wants any namespace [3.2, 3.3]", () => {
    const { rules } = policyOf({
      selectors: [
        { namespaceSelector: { matchLabels: { team: "a" } } },
        { namespaceSelector: {}, podSelector: {} },
      ],
    });
    assert.deepEqual(rules.map(({ namespace }) => renderSelector(namespace ?? [])), [
      "io.cilium.k8s.namespace.labels.team=a",
      "io.kubernetes.pod.namespace",
    ]);
    assert.deepEqual(rules[1]?.pod, []);
  });

  test("has the same selector however it is written", () => {
    const a = { matchLabels: { b: "2", a: "1" }, matchExpressions: [] };
    const b = {
      matchExpressions: [
        { key: "b", operator: "In", values: ["2", "2"] },
        { key: "a", operator: "In", values: ["1"] },
      ],
    };
    const [first, second] = [a, b].map((podSelector) => policyOf({ selectors: [{ podSelector }] }));
    assert.deepEqual(first, second);
  });

  test("takes its distribution from the annotation [5.6]", () => {
    const annotations = { "sluice.dev/distribution": "cilium-hash" };
    assert.equal(policyOf({}, { annotations }).distribution, "cilium-hash");
    assert.deepEqual(issuesOf({}, { annotations: { "sluice.dev/distribution": "roundrobin" } }), [
      'InvalidDistribution metadata.annotations["sluice.dev/distribution"]: ' +
        '"roundrobin" is no distribution; write round-robin',
    ]);
  });
});

describe("a policy is refused", () => {
  const both = { ...GATEWAY, interface: "eth1", egressIP: "192.0.2.1" };
  const refused: [what: string, spec: Raw, issue: string][] = [
    ["destinations", { destinationCIDRs: null }, "MissingField spec.destinationCIDRs"],
    ["any destination", { destinationCIDRs: [] }, "MissingField spec.destinationCIDRs"],
    ["a good prefix", { destinationCIDRs: ["10/8"] }, "InvalidPrefix spec.destinationCIDRs[0]"],
    ["a good exclusion", { excludedCIDRs: ["::/129"] }, "InvalidPrefix spec.excludedCIDRs[0]"],
    ["selectors", { selectors: [] }, "MissingField spec.selectors"],
    [
      "more than a nodeSelector in a rule",
      { selectors: [{ nodeSelector: {} }] },
      "InvalidRule spec.selectors[0]",
    ],
    ["a gateway", { egressGateway: null }, "MissingField spec.egressGateways"],
    [
      "a nodeSelector in each gateway",
      { egressGateway: { interface: "eth1" } },
      "MissingField spec.egressGateway.nodeSelector",
    ],
    [
      "a choice between interface and egressIP",
      { egressGateways: [GATEWAY, both], egressGateway: null },
      "InvalidGateway spec.egressGateways[1]",
    ],
    [
      "a good egressIP",
      { egressGateway: { ...GATEWAY, egressIP: "192.0.2.1/32" } },
      "InvalidAddress spec.egressGateway.egressIP",
    ],
    ["a list as a list", { selectors: { podSelector: {} } }, "InvalidField spec.selectors"],
  ];
  for (const [what, spec, expected] of refused) {
    test(`without ${what} [2.1]`, () => {
      const issues = issuesOf(spec);
      assert.deepEqual(issues.map((text) => text.split(": ")[0]), [expected]);
      const change = parse({ ...GOOD_SPEC, ...spec });
      assert.equal(change.refused, true);
      assert.equal(change.value, undefined);
      assert.equal(change.key, "p");
    });
  }

  test("without a name, and then has the empty key [2.1]", () => {
    for (const name of ["", null, undefined]) {
      const change = parse(GOOD_SPEC, { name });
      assert.equal(change.key, "");
      assert.equal(change.refused, true);
      assert.deepEqual(change.issues.map(({ code, path, object }) => [code, path, object]), [
        ["MissingField", "metadata.name", "CiliumEgressGatewayPolicy/"],
      ]);
    }
  });

  test("without a spec", () => {
    const { issues } = parse(null);
    assert.deepEqual(issues.map(({ code, path }) => `${code} ${path}`), ["MissingField spec"]);
  });

  test("for everything that is wrong with it, not only for the first thing", () => {
    const issues = issuesOf({
      selectors: [{}, { podSelector: { matchLabels: { "-a": "b" } } }],
      destinationCIDRs: ["x", 5],
      egressGateway: { egressIP: "y" },
    });
    assert.deepEqual(issues.map((text) => text.split(":")[0]), [
      "InvalidRule spec.selectors[0]",
      "InvalidSelector spec.selectors[1].podSelector.matchLabels.-a",
      "InvalidField spec.destinationCIDRs[1]",
      "InvalidPrefix spec.destinationCIDRs[0]",
      "MissingField spec.egressGateway.nodeSelector",
      "InvalidAddress spec.egressGateway.egressIP",
    ]);
  });

  test("with a message that says what to write", () => {
    const destinationCIDRs = ["10.0.0.1", "fd00::1", "10.0.0.0/255.0.0.0"];
    assert.deepEqual(issuesOf({ destinationCIDRs }), [
      "InvalidPrefix spec.destinationCIDRs[0]: 10.0.0.1 has no mask; write 10.0.0.1/32",
      "InvalidPrefix spec.destinationCIDRs[1]: fd00::1 has no mask; write fd00::1/128",
      'InvalidPrefix spec.destinationCIDRs[2]: "10.0.0.0/255.0.0.0" has no valid mask; ' +
        "write 10.0.0.0/ and a length from 0 to 32",
    ]);
    assert.deepEqual(issuesOf({ egressGateway: { ...GATEWAY, egressIP: "fe80::1%eth0" } }), [
      'InvalidAddress spec.egressGateway.egressIP: "fe80::1%eth0" is not an IPv4 or IPv6 ' +
        "address; write fe80::1",
    ]);
    const labels = { matchLabels: { "a.io/b": 1, c: true } };
    assert.deepEqual(issuesOf({ selectors: [{ podSelector: labels }] }), [
      'InvalidField spec.selectors[0].podSelector.matchLabels["a.io/b"]: ' +
        'must be text, not the number 1; quote it: "1"',
      "InvalidField spec.selectors[0].podSelector.matchLabels.c: " +
        'must be text, not the boolean true; quote the word, as in "yes" or "true"',
    ]);
  });
});

describe("a policy is accepted with a warning", () => {
  test("EgressGatewayIgnored when egressGateway is not the list's first entry [1.6, 2.4]", () => {
    const other = { nodeSelector: { matchLabels: { gw: "b" } } };
    const matchExpressions = [{ key: "gw", operator: "In", values: ["a"] }];
    const same = { nodeSelector: { matchExpressions } };
    const codes = (egressGateway: unknown, egressGateways: unknown) => {
      const { issues, refused } = parse({ ...GOOD_SPEC, egressGateway, egressGateways });
      assert.equal(refused, false);
      return issues.map(({ code, path }) => `${code} ${path}`);
    };
    const warning = ["EgressGatewayIgnored spec.egressGateway"];
    assert.deepEqual(codes(other, [GATEWAY, other]), warning);
    assert.deepEqual(codes(same, [GATEWAY, other]), []);
    assert.deepEqual(codes(null, [GATEWAY]), []);
    assert.deepEqual(codes("nonsense", [GATEWAY]), warning);
    assert.deepEqual(codes({ nodeSelector: 5, egressIP: "x", interface: "y" }, [GATEWAY]), warning);
    assert.deepEqual(codes({ ...GATEWAY, nodeSelector: 5 }, [{ nodeSelector: {} }]), warning);
  });

  test("ExclusionOutsideDestinations, once for each prefix in no destination [2.4, 7.4]", () => {
    const spec = {
      destinationCIDRs: ["10.0.0.0/8", "10.128.0.0/9", "fd00::/16"],
      excludedCIDRs: ["10.1.0.0/16", "10.0.0.0/7", "11.0.0.0/7", "fd00:1::/32", "10.0.0.0/8"],
    };
    assert.deepEqual(issuesOf(spec), [
      "ExclusionOutsideDestinations spec.excludedCIDRs[1]: 10.0.0.0/7 is not inside one " +
        "destination of this policy; it also cuts what other policies cover",
    ]);
    // Half of the destinations would make it look worse than it is.
    assert.equal(issuesOf({ ...spec, destinationCIDRs: ["10.0.0.0/8", "x"] }).length, 1);
    // Two destinations that cover an exclusion only together do not count.
    const halves = ["10.0.0.0/9", "10.128.0.0/9"];
    const excludedCIDRs = ["10.0.0.0/8"];
    assert.equal(issuesOf({ destinationCIDRs: halves, excludedCIDRs }).length, 1);
  });

  test("UnknownField with the name that was probably meant", () => {
    const egressGateway = { ...GATEWAY, egressIp: "" };
    assert.deepEqual(issuesOf({ destinationCIDR: [], egressGateway }), [
      'UnknownField spec.destinationCIDR: "destinationCIDR" is ignored; write destinationCIDRs',
      'UnknownField spec.egressGateway.egressIp: "egressIp" is ignored; write egressIP',
    ]);
  });
});

test("reordering a refused policy's lists changes only paths [5.8]", () => {
  const selectors = [{}, { podSelector: { matchLabels: { a: "b c" } } }];
  const egressGateways = [{}, { ...GATEWAY, egressIP: "x" }, { ...GATEWAY, interface: 1 }];
  const destinationCIDRs = ["1", "2/3", "10.0.0.0/8"];
  const texts = (spec: Raw) =>
    parse(spec).issues.map(({ code, object, message }) => `${code} ${object} ${message}`).sort();
  const reversed = [selectors, egressGateways, destinationCIDRs].map((list) => list.toReversed());
  assert.deepEqual(
    texts({ selectors, egressGateways, destinationCIDRs }),
    texts({ selectors: reversed[0], egressGateways: reversed[1], destinationCIDRs: reversed[2] }),
  );
});
