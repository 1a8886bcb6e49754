// Pods of a running lab: made and removed in the order of a kubelet, so that the agent sees what it
// would see in a cluster: first a device, a moment later the Pod object.

import { runCommand } from "../../drivers/kernel/command.ts";
import { addToNetwork, removeFromNetwork } from "./cni.ts";
import { LabError } from "./lab-error.ts";
import { endProcesses, identityOf, runScript } from "./namespaces.ts";
import { podScript } from "./node-script.ts";
import { objectsOf } from "./lab-objects.ts";
import { podObject } from "./objects.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import type { LabPod } from "./state.ts";
import { findPod, forgetPod, loadPods, savePod } from "./state.ts";
import type { LabNode, Topology } from "./topology.ts";
import { LIMITS, nodeOfPod } from "./topology.ts";

/** Wires a pod whose namespace exists; the cluster does not know of it yet. */
export async function wirePod(
  { place, topology }: { readonly place: LabPlace; readonly topology: Topology },
  { name, node }: { readonly name: string; readonly node: LabNode },
): Promise<LabPod> {
  await runScript(place.namespace(podMember(name)), podScript());
  const addresses = await addToNetwork({ place, topology, node, pod: name });
  const pod = { name, node: node.name, addresses };
  savePod(place, pod);
  return pod;
}

/** Tells the cluster of a pod that is wired. */
export async function announcePod(place: LabPlace, pod: LabPod): Promise<LabPod> {
  await (await objectsOf(place)).put(podObject(pod));
  return pod;
}

const POD_NAME = /^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/;

/** Adds one pod: on `nodeName`, or where the next one would have come. */
export async function addPod(
  { place, topology }: { readonly place: LabPlace; readonly topology: Topology },
  { name, nodeName }: { readonly name: string | undefined; readonly nodeName: string | undefined },
): Promise<LabPod> {
  const pods = loadPods(place);
  if (pods.length >= LIMITS.pods) throw new LabError(`a lab has at most ${LIMITS.pods} pods`);
  const taken = new Set(pods.map((pod) => pod.name));
  const free = Array.from({ length: LIMITS.pods }, (_, i) => `pod-${i + 1}`);
  const chosen = name ?? free.find((one) => !taken.has(one)) ?? "";
  if (!POD_NAME.test(chosen)) {
    throw new LabError(`'${chosen}' is no name for a pod`, "Use a-z, 0-9 and -, at most 32.");
  }
  if (taken.has(chosen)) throw new LabError(`there is a pod '${chosen}' already`);
  if (topology.nodes.some((one) => one.name === chosen)) {
    throw new LabError(`there is a node '${chosen}' already`);
  }
  const node =
    nodeName === undefined
      ? nodeOfPod(topology, pods.length + 1)
      : topology.nodes.find((one) => one.name === nodeName);
  if (node === undefined) {
    const known = topology.nodes.map((one) => one.name).join(", ");
    throw new LabError(`there is no node '${nodeName}'`, `The nodes: ${known}.`);
  }
  await runCommand("ip", ["netns", "add", place.namespace(podMember(chosen))]);
  return announcePod(place, await wirePod({ place, topology }, { name: chosen, node }));
}

/** Removes a pod: its object first, as a deleted pod is gone from the API before its network is. */
export async function deletePod(
  { place, topology }: { readonly place: LabPlace; readonly topology: Topology },
  name: string,
): Promise<LabPod> {
  const pod = findPod(place, name);
  await (await objectsOf(place)).remove("Pod", pod.name);
  const namespace = place.namespace(podMember(pod.name));
  const identity = identityOf(namespace);
  if (identity !== undefined) await endProcesses(new Set([identity]));
  const node = topology.nodes.find((one) => one.name === pod.node);
  if (node !== undefined) await removeFromNetwork({ place, topology, node, pod: pod.name });
  forgetPod(place, pod.name);
  await runCommand("ip", ["netns", "delete", namespace]);
  return pod;
}
