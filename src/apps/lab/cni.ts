// Pods are wired as a container runtime does it: by the reference CNI plugins, run inside the
// node's namespace with the configuration on standard input. See the CNI specification 1.0, "ADD".

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./lab-error.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import type { LabNode, Topology } from "./topology.ts";

const PLUGIN_DIRECTORIES = ["/usr/lib/cni", "/opt/cni/bin"];
const IPAM = "host-local";
const TIMEOUT_MS = 20_000;

/** Where the plugins are. Throws LabError, naming the package, if they are nowhere. */
export function pluginDirectory(cni: Topology["cni"]): string {
  const found = PLUGIN_DIRECTORIES.find((directory) =>
    [cni, IPAM].every((plugin) => existsSync(join(directory, plugin))),
  );
  if (found !== undefined) return found;
  throw new LabError(
    `the CNI plugins ${cni} and ${IPAM} are neither in ${PLUGIN_DIRECTORIES.join(" nor in ")}`,
    "Install them; on Debian: apt-get install containernetworking-plugins",
  );
}

export interface CniCall {
  readonly place: LabPlace;
  readonly topology: Topology;
  readonly node: LabNode;
  readonly pod: string;
}

/** Gives the pod its device and addresses; the addresses, IPv4 first. */
export async function addToNetwork(call: CniCall): Promise<string[]> {
  const text = await runPlugin(call, "ADD");
  const { ips } = JSON.parse(text) as { readonly ips: readonly { readonly address: string }[] };
  const addresses = ips.map(({ address }) => address.replace(/\/\d+$/, ""));
  return addresses.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}

/** Takes them back. */
export async function removeFromNetwork(call: CniCall): Promise<void> {
  await runPlugin(call, "DEL");
}

function configuration({ place, topology, node }: CniCall): object {
  const { cni, ipv6 } = topology;
  const ipam = {
    type: IPAM,
    dataDir: join(place.addresses, node.name),
    ranges: node.podCIDRs.map((subnet) => [{ subnet }]),
    routes: [{ dst: "0.0.0.0/0" }, ...(ipv6 ? [{ dst: "::/0" }] : [])],
  };
  const network = { cniVersion: "1.0.0", name: "lab", type: cni, ipam };
  if (cni === "ptp") return network;
  return { ...network, bridge: "cni0", isGateway: true, hairpinMode: true };
}

function runPlugin(call: CniCall, command: "ADD" | "DEL"): Promise<string> {
  const { place, topology, node, pod } = call;
  const directory = pluginDirectory(topology.cni);
  const plugin = join(directory, topology.cni);
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${place.path(node.name)}`, plugin], {
      stdio: "pipe",
      timeout: TIMEOUT_MS,
      env: {
        PATH: process.env["PATH"],
        CNI_COMMAND: command,
        CNI_CONTAINERID: pod,
        CNI_NETNS: place.path(podMember(pod)),
        CNI_IFNAME: "eth0",
        CNI_PATH: directory,
      },
    });
    let said = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) return resolve(said);
      // A plugin says what is wrong as JSON on standard output.
      const reason = /"msg":\s*"((?:[^"\\]|\\.)*)"/.exec(said)?.[1] ?? (complaint || said);
      reject(new LabError(`the CNI plugin ${topology.cni} refused pod ${pod}: ${reason.trim()}`));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(JSON.stringify(configuration(call)));
  });
}
