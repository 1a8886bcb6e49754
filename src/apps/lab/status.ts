// `sluice lab status`: what a lab consists of now and whether its agents are well.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LabPlace } from "./place.ts";
import { agentRuns, agentStatus } from "./processes.ts";
import type { LabPod } from "./state.ts";
import { loadPods } from "./state.ts";
import type { LabNode, Topology } from "./topology.ts";

export interface NodeStatus {
  readonly node: LabNode;
  /** The namespace's name, for `nsenter --net=/run/netns/NAME`. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The agent's process; undefined: it does not run. */
  readonly pid: number | undefined;
  readonly ready: boolean;
}

export interface LabStatus {
  readonly nodes: readonly NodeStatus[];
  readonly pods: readonly LabPod[];
  /** Names of policies, sorted. */
  readonly policies: readonly string[];
  /** Where the objects are. */
  readonly objects: string;
}

/** Asks every agent. */
export async function statusOf(place: LabPlace, { nodes }: Topology): Promise<LabStatus> {
  const objects = readObjects(place);
  const named = (kind: string) => objects.filter((one) => one.kind === kind);
  return {
    nodes: await Promise.all(
      nodes.map(async (node) => {
        const object = named("Node").find(({ metadata }) => metadata.name === node.name);
        const pid = agentRuns(place, node.name);
        const answer = pid === undefined ? undefined : await agentStatus(place, node.name);
        return {
          node,
          namespace: place.namespace(node.name),
          labels: object?.metadata.labels ?? {},
          pid,
          ready: (answer as { readonly ready?: unknown } | undefined)?.ready === true,
        };
      }),
    ),
    pods: loadPods(place),
    policies: named("CiliumEgressGatewayPolicy").map(({ metadata }) => metadata.name),
    objects: place.objects,
  };
}

interface NamedObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

function readObjects(place: LabPlace): NamedObject[] {
  const files = readdirSync(place.objects).filter((file) => file.endsWith(".json"));
  return files
    .sort()
    .map((file) => JSON.parse(readFileSync(join(place.objects, file), "utf8")) as NamedObject);
}
