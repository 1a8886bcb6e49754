// `sluice lab status`: what a lab consists of now and whether its agents are well.

import { objectsOf } from "./lab-objects.ts";
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
  const objects = await objectsOf(place);
  const labels = new Map((await objects.all("Node")).map(({ metadata }) => {
    return [metadata.name, metadata.labels ?? {}] as const;
  }));
  const policies = await objects.all("CiliumEgressGatewayPolicy");
  return {
    nodes: await Promise.all(
      nodes.map(async (node) => {
        const pid = agentRuns(place, node.name);
        const answer = pid === undefined ? undefined : await agentStatus(place, node.name);
        return {
          node,
          namespace: place.namespace(node.name),
          labels: labels.get(node.name) ?? {},
          pid,
          ready: (answer as { readonly ready?: unknown } | undefined)?.ready === true,
        };
      }),
    ),
    pods: loadPods(place),
    policies: policies.map(({ metadata }) => metadata.name),
    objects: objects.name,
  };
}
