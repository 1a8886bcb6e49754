// Pods and CiliumEndpoints of one cluster in a real API server: both describe the same endpoints,
// so both give the same plan. Where they may differ they do, or their being equal would say little.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { buildPlan } from "../../src/engine/build-plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import { Cluster as Model } from "../../src/model/cluster.ts";
import { renderAddress } from "../../src/net/address.ts";
import { writePlan } from "../../src/plan/plan-data.ts";
import type { EndpointSource } from "../../src/sources/kubernetes/kinds.ts";
import type { KubernetesWatch } from "../../src/sources/kubernetes/watch.ts";
import { ROOT, sluice } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { missingForCluster } from "./binaries.ts";
import {
  addressesOf,
  endpointOf,
  identityOf,
  LATE,
  NAMESPACES,
  podOf,
  podsBeside,
  SAMPLES,
} from "./cilium-samples.ts";
import type { Sample } from "./cilium-samples.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import {
  CILIUM_ENDPOINTS,
  CILIUM_IDENTITIES,
  define,
  NODE_STATES,
  POLICIES,
} from "./definitions.ts";
import { fill, fillFrom } from "./fill.ts";
import { watchCluster } from "./watching.ts";

const NODES = ["nodes", "gateways"].map((name) => join(ROOT, `examples/cluster/${name}.yaml`));
const SELECTED_PER_NAMESPACE = 8;

interface PolicyParts {
  readonly distribution: string;
  readonly selector: object;
  readonly destinations: readonly string[];
}

function policyOf(name: string, { distribution, selector, destinations }: PolicyParts) {
  const annotations = { "sluice.dev/distribution": distribution };
  const egressGateways = [1, 2, 3].map((i) => ({
    nodeSelector: { matchLabels: { "kubernetes.io/hostname": `gateway-${i}` } },
    interface: "eth1",
  }));
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name, annotations },
    spec: { selectors: [selector], destinationCIDRs: destinations, egressGateways },
  };
}

const APPS = { matchExpressions: [{ key: "app", operator: "In", values: ["web", "api"] }] };
const PARTNERS = { namespaceSelector: { matchLabels: { egress: "partner" } }, podSelector: APPS };

/** By a namespace's label; and by its name and the node that the pod is on. */
const BOTH = [
  policyOf("ranked", {
    distribution: "round-robin",
    selector: PARTNERS,
    destinations: ["203.0.113.0/24", "2001:db8:feed::/48"],
  }),
  policyOf("scored", {
    distribution: "rendezvous",
    selector: {
      podSelector: { ...APPS, matchLabels: { "io.kubernetes.pod.namespace": "billing" } },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "billing" } },
      nodeSelector: { matchLabels: { "kubernetes.io/hostname": "worker-1" } },
    },
    destinations: ["198.51.100.0/24", "2001:db8:bee::/48"],
  }),
];

interface PlanDocument {
  readonly assignments: readonly { policy: string; endpoint: string; gateway: unknown }[];
  readonly rows: readonly { source: string }[];
  readonly issues: readonly { code: string }[];
}

test("Pods and CiliumEndpoints", { skip: missingForCluster() ?? false }, async (t) => {
  const cluster = await startCluster(t);
  await define(cluster, POLICIES, NODE_STATES, CILIUM_ENDPOINTS, CILIUM_IDENTITIES);
  await fillFrom(cluster, ...NODES);
  const namespaces = Object.entries(NAMESPACES).map(([name, labels]) => {
    return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  });
  await fill(cluster, [...namespaces, ...SAMPLES.map(podOf), ...podsBeside(), ...BOTH]);
  await fill(cluster, SAMPLES.map(identityOf));
  // The order of names, of Pods and of their CiliumEndpoints are three different ones.
  for (const sample of [...SAMPLES].reverse()) {
    await fill(cluster, [endpointOf(sample, await podUid(cluster, sample))]);
  }
  await provesSamePlan(t, cluster);
  await provesDifferences(t, cluster);
  await provesLateIdentity(t, cluster);
});

function podUid(cluster: Cluster, { namespace, name }: Sample): Promise<string> {
  return cluster.kubectl("get", "pod", "-n", namespace, name, "-o", "jsonpath={.metadata.uid}");
}

/** What `sluice plan` prints for a node. */
function planText({ kubeconfig }: Cluster, endpoints: EndpointSource, node: string): string {
  const words = ["plan", "--kubeconfig", kubeconfig, "--endpoints", endpoints, "--node", node];
  const { exit, stdout, stderr } = sluice([...words, "-o", "json"]);
  assert.deepEqual([exit, stderr], [0, ""]);
  return stdout;
}

const parse = (text: string) => JSON.parse(text) as PlanDocument;

async function provesSamePlan(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("give the same plan for the same cluster, byte for byte [3.1, 3.2, 3.5]", () => {
    // A gateway holds the rows of all endpoints, a worker those of its own.
    for (const [node, share] of [["gateway-1", 1], ["worker-2", 0.5]] as const) {
      const pods = planText(cluster, "pods", node);
      assert.equal(planText(cluster, "cilium", node), pods);
      assert.equal(planText(cluster, "auto", node), pods);
      const { rows, assignments, issues } = parse(pods);
      const of = (name: string) => assignments.filter(({ policy }) => policy === name);
      assert.equal(of("ranked").length, 2 * SELECTED_PER_NAMESPACE);
      assert.equal(of("scored").length, SELECTED_PER_NAMESPACE / 2);
      assert.ok(assignments.every(({ gateway }) => gateway !== null));
      // Two families of each, and of `scored` those on worker-1.
      const scored = node === "gateway-1" ? SELECTED_PER_NAMESPACE / 2 : 0;
      assert.equal(rows.length, 2 * (2 * SELECTED_PER_NAMESPACE * share + scored));
      assert.deepEqual(issues, []);
    }
  });
}

/** The controls: what may differ does, so the sources are not one and the same. */
async function provesDifferences(t: TestContext, cluster: Cluster): Promise<void> {
  const codes = (text: string) => parse(text).issues.map(({ code }) => code);
  const gateways = (text: string) => parse(text).assignments.filter(({ policy }) => {
    return policy === "other";
  });

  await t.test("cilium-hash is the exception, and says so of Pods [3.1]", async () => {
    const destinations = ["192.0.2.128/25"];
    const parts = { distribution: "cilium-hash", selector: PARTNERS, destinations };
    await cluster.apply(policyOf("other", parts));
    const pods = planText(cluster, "pods", "gateway-1");
    const cilium = planText(cluster, "cilium", "gateway-1");
    assert.deepEqual(codes(pods), ["CiliumHashUnpredictable"]);
    assert.deepEqual(codes(cilium), []);
    assert.equal(gateways(cilium).length, 2 * SELECTED_PER_NAMESPACE);
    // That sixteen random UIDs choose alike has a chance of 3^-16.
    assert.notDeepEqual(gateways(pods), gateways(cilium));
    assert.equal(planText(cluster, "auto", "gateway-1"), cilium);
  });

  await t.test("a label that identities leave out is a Pod's alone [3.2]", async () => {
    const selector = { podSelector: { matchLabels: { "pod-template-hash": "5d4f8c7b9" } } };
    const destinations = ["192.0.2.128/25"];
    await cluster.apply(policyOf("other", { distribution: "rendezvous", selector, destinations }));
    assert.equal(gateways(planText(cluster, "pods", "gateway-1")).length, SAMPLES.length);
    assert.equal(gateways(planText(cluster, "cilium", "gateway-1")).length, 0);
    await cluster.kubectl("delete", "cegp", "other");
  });
}

/** What an agent on this node would program, followed as an agent follows it. */
class Followed {
  readonly watch: KubernetesWatch;
  readonly #model = new Model();
  readonly #engine: Engine;

  constructor(t: TestContext, { kubeconfig }: Cluster, endpoints: EndpointSource, node: string) {
    const scope = { node, rows: "needed" } as const;
    this.#engine = new Engine({ distribution: "round-robin", scope });
    this.watch = watchCluster(kubeconfig, {
      endpoints,
      onChanges: (changes) => void this.#engine.step(this.#model.apply(changes)),
      onIssues: () => undefined,
    });
    t.after(() => this.watch.close());
  }

  get document(): string {
    const parts: string[] = [];
    const input = { rows: "needed", mapSize: 262_144, issues: [] } as const;
    const plan = buildPlan({ cluster: this.#model, engine: this.#engine, ...input });
    writePlan(plan, "json", (text) => void parts.push(text));
    return parts.join("");
  }

  /** How many rows have one of the pod's addresses. */
  rowsOf(sample: Sample): number {
    const sources: string[] = Object.values(addressesOf(sample));
    return parse(this.document).rows.filter(({ source }) => sources.includes(source)).length;
  }

  hasEndpoint(sample: Sample): boolean {
    const { ipv4 } = addressesOf(sample);
    return [...this.#model.endpoints()].some(({ addresses }) => {
      return addresses.some((address) => renderAddress(address) === ipv4);
    });
  }
}

async function provesLateIdentity(t: TestContext, cluster: Cluster): Promise<void> {
  await t.test("an identity that comes late: no rows, then the same rows [3.2]", async (t) => {
    const node = "worker-1";
    const follow = (endpoints: EndpointSource) => new Followed(t, cluster, endpoints, node);
    const [pods, cilium, auto] = [follow("pods"), follow("cilium"), follow("auto")];
    await Promise.all([pods, cilium, auto].map(({ watch }) => watch.synced));
    assert.equal(cilium.document, planText(cluster, "cilium", node));
    // The control: the Pod alone has rows at once, the CiliumEndpoint has none to give yet.
    await fill(cluster, [podOf(LATE)]);
    await until(() => pods.rowsOf(LATE) === 2 && auto.rowsOf(LATE) === 2);
    const uid = await podUid(cluster, LATE);
    const isHeld = () => [cilium, auto].every(({ watch }) => {
      return watch.counts().get("CiliumEndpoint") === SAMPLES.length + 1;
    });
    await fill(cluster, [endpointOf(LATE, uid, { known: false })]);
    await until(isHeld);
    await until(() => auto.rowsOf(LATE) === 0);
    assert.equal(cilium.rowsOf(LATE), 0);
    await fill(cluster, [endpointOf(LATE, uid)]);
    // One that is deleted afterwards is seen to go: so what was written before was seen as well.
    const [last] = SAMPLES.slice(-1) as [Sample];
    await cluster.kubectl("delete", "ciliumendpoints", "-n", last.namespace, last.name);
    await until(() => !cilium.hasEndpoint(last));
    assert.deepEqual([cilium.hasEndpoint(LATE), cilium.rowsOf(LATE)], [false, 0]);
    assert.equal(pods.rowsOf(LATE), 2);
    await fill(cluster, [endpointOf(last, await podUid(cluster, last)), identityOf(LATE)]);
    await until(() => [cilium, auto].every((one) => one.document === pods.document), {
      shown: () => `${cilium.document}\n${pods.document}`,
    });
    assert.equal(cilium.rowsOf(LATE), 2);
    assert.equal(cilium.document, planText(cluster, "cilium", node));
  });
}
