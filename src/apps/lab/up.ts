// `sluice lab up`: from nothing to a cluster whose agents are ready, stage by stage.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { runCommand } from "../../drivers/kernel/command.ts";
import type { OperationError } from "../../lib/operation-error.ts";
import type { ApiObjects } from "./api-objects.ts";
import { pluginDirectory } from "./cni.ts";
import { tearDown } from "./down.ts";
import { LabError } from "./lab-error.ts";
import { runScript } from "./namespaces.ts";
import type { Cable } from "./node-script.ts";
import { bridgeScript, namespaceBatch, nodeScript, serverScript } from "./node-script.ts";
import { objectsOf } from "./lab-objects.ts";
import { namespaceObject, nodeObject } from "./objects.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import { announcePod, wirePod } from "./pods.ts";
import { startAgent, startServer, waitForAgent } from "./processes.ts";
import { claimPlace, markComplete } from "./state.ts";
import type { LabNode, Topology } from "./topology.ts";
import { BRIDGES, nodeOfPod, OUTSIDE, outsideBridges, SECOND, SECOND_BRIDGE } from "./topology.ts";
import { SERVER, UNDERLAY } from "./topology.ts";

/** Told before each stage, in words for a person. */
export type Report = (stage: string) => void;

/** Builds the lab and waits for it. Throws LabError; what was begun is then taken away again. */
export async function bringUp(place: LabPlace, topology: Topology, report: Report): Promise<void> {
  checkMachine(topology);
  const { api } = topology;
  if (api !== undefined) await (await import("./api-access.ts")).checkInstalled(api);
  claimPlace(place, topology);
  try {
    await build(place, topology, report);
    markComplete(place, topology);
  } catch (error) {
    report("something went wrong; taking the lab away again");
    const onKept = ({ message }: OperationError) => report(`its objects stay: ${message}`);
    await tearDown(place, { keepLogs: true, onKept });
    throw error;
  }
}

async function build(place: LabPlace, topology: Topology, report: Report): Promise<void> {
  const { nodes, agents, cni } = topology;
  report("network namespaces, cables and bridges");
  const pods = podsToMake(topology);
  await makeNamespaces(place, topology, pods.map(({ name }) => name));
  report(`${nodes.length} nodes: addresses, routes, masquerade`);
  await Promise.all([
    runScript(place.namespace(SERVER), serverScript(topology)),
    ...bridgesOf(topology).map((bridge) =>
      runScript(place.namespace(bridge), bridgeScript(portsOf(topology, bridge))),
    ),
    ...nodes.map((node) => runScript(place.namespace(node.name), nodeScript(topology, node))),
    mountBpf(place, topology),
  ]);
  await writeObjects(place, topology, report);
  report("the server outside");
  const server = startServer(place, topology);
  if (agents) for (const node of nodes) startAgent(place, node);
  report(`${pods.length} pods, wired by the CNI plugin ${cni}`);
  await Promise.all([server, ...nodes.map((node) => wireAll(place, topology, node))]);
  if (!agents) return;
  report(`${nodes.length} agents get ready`);
  await Promise.all(nodes.map((node) => waitForAgent(place, node)));
}

/** The cluster's objects, and where they are in an API server, the agents' way to it. */
async function writeObjects(place: LabPlace, topology: Topology, report: Report): Promise<void> {
  const { nodes, api: login } = topology;
  if (login !== undefined) {
    const { noteLogin } = await import("./api-access.ts");
    noteLogin(place, login);
  }
  const objects = await objectsOf(place);
  const api = objects as ApiObjects;
  const access = login && (await import("./api-access.ts"));
  await objects.put(namespaceObject());
  await Promise.all(nodes.map((node) => objects.put(nodeObject(node))));
  if (login === undefined || access === undefined) return;
  report(`the agents' way to the API server at ${objects.name}`);
  await access.addDefaultAccount(api);
  await access.startHostRelay(place, api);
  await Promise.all(nodes.map((node) => access.connectNode(place, node, { api, login })));
}

function podsToMake(topology: Topology): { readonly name: string; readonly node: LabNode }[] {
  return Array.from({ length: topology.pods }, (_, i) => ({
    name: `pod-${i + 1}`,
    node: nodeOfPod(topology, i + 1),
  }));
}

/** One after the other, as a kubelet would: the plugins share a bridge and a list of addresses. */
async function wireAll(place: LabPlace, topology: Topology, node: LabNode): Promise<void> {
  for (const pod of podsToMake(topology)) {
    if (pod.node.name !== node.name) continue;
    await announcePod(place, await wirePod({ place, topology }, pod));
  }
}

async function makeNamespaces(
  place: LabPlace,
  topology: Topology,
  pods: readonly string[],
): Promise<void> {
  const members = [
    ...bridgesOf(topology),
    SERVER,
    ...topology.nodes.map(({ name }) => name),
    ...pods.map(podMember),
  ];
  const cable = (device: string, member: string, bridge: string): Cable => ({
    device,
    namespace: place.namespace(member),
    peer: member,
    peerNamespace: place.namespace(bridge),
  });
  const cables = [
    ...topology.nodes.flatMap(({ name }) => [
      cable(UNDERLAY, name, BRIDGES.underlay),
      cable(OUTSIDE, name, BRIDGES.outside),
    ]),
    cable(OUTSIDE, SERVER, BRIDGES.outside),
    ...portsOf(topology, SECOND_BRIDGE).map((name) => cable(SECOND, name, SECOND_BRIDGE)),
  ];
  const input = namespaceBatch(members.map((member) => place.namespace(member)), cables);
  await runCommand("ip", ["-batch", "-"], { input, target: "the lab's namespaces" });
}

function bridgesOf(topology: Topology): string[] {
  return [BRIDGES.underlay, ...outsideBridges(topology)];
}

/** Members with a cable to this bridge; none where there is no such bridge. */
function portsOf({ nodes, secondNic = false }: Topology, bridge: string): string[] {
  const names = nodes.map(({ name }) => name);
  if (bridge === BRIDGES.underlay) return names;
  if (bridge === BRIDGES.outside) return [...names, SERVER];
  if (!secondNic) return [];
  return [...nodes.filter(({ gateway }) => gateway).map(({ name }) => name), SERVER];
}

/** Each node has a BPF file system of its own, as each machine has. */
async function mountBpf(place: LabPlace, { nodes }: Topology): Promise<void> {
  const directories = nodes.map(({ name }) => place.node(name).bpf);
  const input = directories.map((one) => `mkdir -p ${one}\nmount -t bpf bpf ${one}\n`).join("");
  await runCommand("sh", ["-eu", "-s"], { input, target: "the nodes' BPF file systems" });
}

/** A program that a lab needs -> the Debian package that has it. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  sysctl: "procps",
  nsenter: "util-linux",
  ping: "iputils-ping",
  tcpdump: "tcpdump",
};

/** Says what is missing before anything is made; `topology` undefined: only to take away. */
export function checkMachine(topology: Pick<Topology, "cni"> | undefined): void {
  if (process.getuid?.() !== 0) {
    throw new LabError("a lab needs root: it makes network namespaces", "Run it with sudo.");
  }
  const missing = Object.entries(TOOLS).filter(([tool]) => !isInstalled(tool));
  if (missing.length > 0) {
    const packages = missing.map(([, name]) => name).join(" ");
    throw new LabError(
      `a lab needs ${missing.map(([tool]) => tool).join(", ")}`,
      `Install what is missing; on Debian: apt-get install ${packages}`,
    );
  }
  if (topology !== undefined) pluginDirectory(topology.cni);
}

function isInstalled(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
