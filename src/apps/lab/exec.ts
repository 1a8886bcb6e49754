// `sluice lab exec`: a command in a pod or on a node, on this terminal. A node has `sluice` in its
// PATH, which finds this node's maps and agent by itself.

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { LabError } from "./lab-error.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import { STATUS_LISTEN } from "./processes.ts";
import { sluiceCommand } from "./programs.ts";
import { loadPods, writeWhole } from "./state.ts";
import type { Topology } from "./topology.ts";

const SIGNAL_BASE = 128;
const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs `command` in the network of the pod or node; its exit status, as a shell gives it. */
export function runInMember(
  lab: { readonly place: LabPlace; readonly topology: Topology },
  name: string,
  command: readonly string[],
): Promise<number> {
  const { member, env } = findMember(lab, name);
  const child = spawn("nsenter", [`--net=${lab.place.path(member)}`, ...command], {
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  // The terminal sends its signals to both; the command decides what they mean.
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new LabError(`nsenter: ${error.message}`)));
    child.on("close", (status, signal) => {
      process.off("SIGINT", ignore);
      resolve(status ?? SIGNAL_BASE + (SIGNALS[signal ?? ""] ?? 0));
    });
  });
}

interface Member {
  /** As namespaces are called. */
  readonly member: string;
  readonly env: Readonly<Record<string, string>>;
}

function findMember(
  { place, topology }: { readonly place: LabPlace; readonly topology: Topology },
  name: string,
): Member {
  const pods = loadPods(place).map((pod) => pod.name);
  const nodes = topology.nodes.map((node) => node.name);
  // A pod may also be called NAMESPACE/NAME.
  const bare = name.slice(name.lastIndexOf("/") + 1);
  if (pods.includes(bare)) return { member: podMember(bare), env: {} };
  if (nodes.includes(name)) return { member: name, env: environmentOf(place, name) };
  throw new LabError(
    `there is no pod '${name}' and no such node in lab '${place.name}'`,
    `Its pods: ${pods.join(", ") || "none"}; its nodes: ${nodes.join(", ")}.`,
  );
}

/** Where this node has what others have at the usual places. */
function environmentOf(place: LabPlace, node: string): Readonly<Record<string, string>> {
  const { bpf, state } = place.node(node);
  return {
    PATH: [writeCommand(place), process.env["PATH"] ?? ""].join(delimiter),
    NODE_NAME: node,
    SLUICE_BPF_DIR: bpf,
    SLUICE_MAP_DIR: join(bpf, "tc/globals"),
    SLUICE_STATE_DIR: state,
    SLUICE_STATUS_ADDRESS: STATUS_LISTEN,
  };
}

/** Writes `sluice` as a command of this very build; gives its directory. */
function writeCommand(place: LabPlace): string {
  const directory = join(place.directory, "bin");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "sluice");
  const words = sluiceCommand([]).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  writeWhole(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  chmodSync(path, 0o755);
  return directory;
}
