// `sluice lab status`: what a lab consists of now and whether its agents are well.

import { writeNodeStates } from "./expectation.ts";
import type { LabObject } from "./lab-objects.ts";
import { objectsOf } from "./lab-objects.ts";
import { NAMESPACE } from "./objects.ts";
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

export interface PodStatus extends LabPod {
  /** The Namespace that it is in. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface LabStatus {
  readonly nodes: readonly NodeStatus[];
  readonly pods: readonly PodStatus[];
  /** Names of policies, sorted. */
  readonly policies: readonly string[];
  /** The server's addresses. */
  readonly server: readonly string[];
  /** Where the objects are. */
  readonly objects: string;
  /** With which `sluice plan`, `explain` and others see the lab as it is, egress IPs included. */
  readonly options: readonly string[];
}

/** Asks every agent, and every node's kernel what egress IPs it has. */
export async function statusOf(place: LabPlace, topology: Topology): Promise<LabStatus> {
  const { nodes, api, server } = topology;
  const objects = await objectsOf(place);
  const labels = labelsOf(await objects.all("Node"));
  const podLabels = labelsOf(await objects.all("Pod"));
  await writeNodeStates(place, topology);
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
    pods: loadPods(place).map((pod) => {
      return { ...pod, namespace: NAMESPACE, labels: podLabels.get(pod.name) ?? {} };
    }),
    policies: policies.map(({ metadata }) => metadata.name),
    server,
    objects: objects.name,
    // Agents write their own NodeStates into an API server.
    options: api === undefined ? ["-f", place.objects, "-f", place.nodeStates] : loginOptions(api),
  };
}

function loginOptions({ kubeconfig, context }: NonNullable<Topology["api"]>): string[] {
  return ["--kubeconfig", kubeconfig, ...(context === undefined ? [] : ["--context", context])];
}

function labelsOf(objects: readonly LabObject[]): Map<string, Readonly<Record<string, string>>> {
  return new Map(objects.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
}
