// What should happen to every pod's packets to the server: the plan of the objects that the agents
// watch and of what the nodes' kernels have. No agent is asked.

import { buildPlan } from "../../engine/build-plan.ts";
import { Engine } from "../../engine/engine.ts";
import { explain } from "../../engine/explain.ts";
import { unreachable } from "../../lib/assert.ts";
import { Cluster } from "../../model/cluster.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { parseAddress, renderAddress } from "../../net/address.ts";
import type { Outcome } from "../../plan/explanation.ts";
import { readInput } from "../../sources/files.ts";
import { objectsOf } from "./lab-objects.ts";
import { runScript } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";
import { loadPods, writeWhole } from "./state.ts";
import type { LabNode, Topology } from "./topology.ts";

/** How packets of one pod to one address of the server should leave. */
export interface Expectation {
  readonly pod: string;
  readonly node: string;
  /** Of the server. */
  readonly server: string;
  /** `egress`: by a gateway; `node`: as the CNI lets them; `drop`: not at all. */
  readonly kind: "egress" | "node" | "drop";
  /** The gateway's node; empty unless `egress`. */
  readonly gateway: string;
  /** The source addresses that the server may see; a node may have several. */
  readonly addresses: readonly string[];
}

const DISTRIBUTION = "round-robin";
const ROWS = "needed";
const MAP_SIZE = 262_144;

/** One per pod and address of the server, in the pods' order. Throws InputError. */
export async function expectations(place: LabPlace, topology: Topology): Promise<Expectation[]> {
  await writeNodeStates(place, topology);
  const read = await (await objectsOf(place)).read();
  const kernels = await readInput([place.nodeStates]);
  const changes = [...read.changes, ...kernels.changes];
  const issues = [...read.issues, ...kernels.issues];
  const cluster = new Cluster();
  const delta = cluster.apply(changes);
  const view = cluster.view();
  const byName = new Map([...view.endpoints.values()].map((one) => [one.name, one]));
  const plans = new Map<string, ReturnType<typeof buildPlan>>();
  const planOf = (node: string) => {
    let plan = plans.get(node);
    if (plan !== undefined) return plan;
    const engine = new Engine({ distribution: DISTRIBUTION, scope: { node, rows: ROWS } });
    engine.step(delta);
    plan = buildPlan({ cluster, engine, rows: ROWS, mapSize: MAP_SIZE, issues });
    plans.set(node, plan);
    return plan;
  };
  const outcomes = (endpoint: Endpoint, server: string): readonly Outcome[] =>
    explain({
      view,
      plan: planOf(endpoint.node),
      endpoint,
      destination: parseAddress(server),
      inside: cluster.prefixes({ extra: [] }),
      clusterCidrs: [],
      defaultDistribution: DISTRIBUTION,
    }).destinations.map(({ outcome }) => outcome);
  return loadPods(place).flatMap(({ name, node: nodeName }) => {
    const endpoint = byName.get(name);
    const node = topology.nodes.find((one) => one.name === nodeName);
    if (endpoint === undefined || node === undefined) return [];
    return topology.server.flatMap((server) =>
      outcomes(endpoint, server).map((outcome) => ({
        pod: name,
        node: nodeName,
        server,
        ...judge(outcome, { node, v6: server.includes(":") }),
      })),
    );
  });
}

function judge(
  outcome: Outcome,
  { node, v6 }: { readonly node: LabNode; readonly v6: boolean },
): Pick<Expectation, "kind" | "gateway" | "addresses"> {
  const none = { gateway: "", addresses: [] };
  switch (outcome.kind) {
    case "leaves": {
      const { node: gateway, egressIP } = outcome;
      const addresses = egressIP === null ? [] : [renderAddress(egressIP)];
      return { kind: "egress", gateway, addresses };
    }
    case "ordinary":
    case "untouched": {
      // The masquerade takes an address of the node's; on a gateway the kernel has a choice.
      const all = [...node.outside, ...node.egress.flat()];
      const addresses = all.filter((address) => address.includes(":") === v6);
      return { kind: "node", gateway: "", addresses };
    }
    case "drop":
    case "no-source":
      return { kind: "drop", ...none };
    default:
      return unreachable(outcome);
  }
}

interface IpLink {
  readonly ifname: string;
  readonly ifindex: number;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

/** Writes down what the nodes' kernels have, where `plan` can read it. */
export async function writeNodeStates(place: LabPlace, { nodes }: Topology): Promise<void> {
  await Promise.all(nodes.map((node) => writeNodeState(place, node)));
}

/** Asks the node's kernel what it has, as the NodeState object of an agent would say it. */
async function writeNodeState(place: LabPlace, { name }: LabNode): Promise<void> {
  const script = "ip -j address\nip -j -4 route show default\nip -j -6 route show default\n";
  const [links, ...routes] = (await runScript(place.namespace(name), script))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
  const interfaces = (links as readonly IpLink[]).map((link) => ({
    name: link.ifname,
    ifindex: link.ifindex,
    addresses: link.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  }));
  const defaultRoutes = (["IPv4", "IPv6"] as const).flatMap((family, i) =>
    ((routes[i] ?? []) as readonly { readonly dev: string }[]).map(({ dev }) => ({
      family,
      interface: dev,
    })),
  );
  const object = {
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name },
    status: { interfaces, defaultRoutes },
  };
  writeWhole(`${place.nodeStates}/${name}.json`, `${JSON.stringify(object)}\n`);
}
