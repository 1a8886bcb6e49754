// Explanations of pods of clusters built from a few raw objects, for tests of `explain`.

import assert from "node:assert/strict";
import { buildPlan } from "../../src/engine/build-plan.ts";
import { Engine } from "../../src/engine/engine.ts";
import { explain } from "../../src/engine/explain.ts";
import { present } from "../../src/lib/assert.ts";
import { Cluster } from "../../src/model/cluster.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import { parseObject } from "../../src/model/parse/object.ts";
import type { Distribution } from "../../src/model/policy.ts";
import { parseAddress } from "../../src/net/address.ts";
import { parsePrefix } from "../../src/net/prefix.ts";
import type { Explanation } from "../../src/plan/explanation.ts";
import type { RowsMode } from "../../src/plan/row.ts";

type Text = Readonly<Record<string, string>>;

export function node(name: string, ip: string | undefined, labels: Text = {}, podCIDR?: string) {
  const addresses = ip === undefined ? [] : [{ type: "InternalIP", address: ip }];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: { podCIDR },
    status: { addresses },
  };
}

/** The device eth1 (index 5) with these addresses and the default routes of both families. */
export function nodeState(name: string, ...addresses: string[]) {
  return {
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name },
    status: {
      interfaces: [{ name: "eth1", ifindex: 5, addresses }],
      defaultRoutes: ["IPv4", "IPv6"].map((family) => ({ family, interface: "eth1" })),
    },
  };
}

export function namespace(name: string, labels: Text) {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** A pod of the namespace `shop` with its name as UID. */
export function pod(
  name: string,
  ips: readonly string[],
  more: { readonly labels?: Text; readonly node?: string; readonly created?: string } = {},
) {
  const { labels = { app: "web" }, created } = more;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", uid: name, labels, creationTimestamp: created },
    spec: { nodeName: more.node ?? "worker-1" },
    status: { phase: "Running", podIPs: ips.map((ip) => ({ ip })) },
  };
}

export const WEB = { podSelector: { matchLabels: { app: "web" } } };
export const GW = (name: string) => ({ nodeSelector: { matchLabels: { gw: name } } });

/** Selects app=web, covers everything of IPv4 and has the gateway gw=1, unless `spec` differs. */
export function policy(name: string, spec: object = {}, metadata: object = {}) {
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name, creationTimestamp: "2024-01-01T00:00:00Z", ...metadata },
    spec: {
      selectors: [WEB],
      destinationCIDRs: ["0.0.0.0/0"],
      egressGateways: [GW("1")],
      ...spec,
    },
  };
}

/** worker-1 and two gateways; what gw-2 has is not known. */
export const NODES = [
  node("worker-1", "192.168.1.11", { zone: "a" }, "10.0.1.0/24"),
  node("gw-1", "192.168.1.1", { gw: "1" }),
  node("gw-2", "192.168.1.2", { gw: "2" }),
  nodeState("gw-1", "192.0.2.10/24"),
];

export interface ExplainQuestion {
  readonly objects: readonly unknown[];
  /** A name or a key; `web-1` unless told. */
  readonly pod?: string;
  readonly destination?: string;
  readonly clusterCidrs?: readonly string[];
  readonly distribution?: Distribution;
  readonly rows?: RowsMode;
  /** Entries per policy map. */
  readonly mapSize?: number;
}

export function explained(question: ExplainQuestion): Explanation {
  const { objects, pod: name = "web-1", destination, clusterCidrs = [] } = question;
  const { distribution = "round-robin", rows = "needed", mapSize = 1_000 } = question;
  const cluster = new Cluster();
  const delta = cluster.apply(objects.map(parsed));
  const view = cluster.view();
  const endpoints = [...view.endpoints.values()];
  const endpoint = present(endpoints.find((one) => one.key === name || one.name === name), name);
  const engine = new Engine({ distribution, scope: { node: endpoint.node, rows } });
  engine.step(delta);
  const extra = clusterCidrs.map((text) => present(parsePrefix(text), text));
  return explain({
    view,
    plan: buildPlan({ cluster, engine, rows, mapSize, issues: [] }),
    endpoint,
    destination:
      destination === undefined ? undefined : present(parseAddress(destination), destination),
    inside: cluster.prefixes({ extra }),
    clusterCidrs: extra,
    defaultDistribution: distribution,
  });
}

/** The model of these objects, as `explained` reads it. */
export function viewOf(objects: readonly unknown[]): ModelView {
  const cluster = new Cluster();
  cluster.apply(objects.map(parsed));
  return cluster.view();
}

/** The change that makes this object exist. */
export function parsed(raw: unknown): ObjectChange {
  const result = parseObject(raw);
  assert.equal(result.kind, "object", JSON.stringify(raw));
  return (result as Extract<typeof result, { kind: "object" }>).change;
}
