// What a lab remembers on disk, so that each command of `sluice lab` can be a process of its own.

import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LabError } from "./lab-error.ts";
import { LAB_NAME, LabPlace, STATE_ROOT } from "./place.ts";
import type { Topology } from "./topology.ts";

/** A pod as the lab made it. */
export interface LabPod {
  readonly name: string;
  readonly node: string;
  /** As the CNI gave them, IPv4 first. */
  readonly addresses: readonly string[];
}

interface LabRecord {
  /** False: `up` has not come to its end. */
  readonly complete: boolean;
  readonly topology: Topology;
}

/** Writes the file whole or not at all: whoever watches the directory never reads half of it. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

/** Takes the name for a new lab. Throws LabError if it is taken. */
export function claimPlace(place: LabPlace, topology: Topology): void {
  mkdirSync(place.directory, { recursive: true });
  try {
    // Whoever creates this file has the name; logs of an attempt that failed may lie beside it.
    writeFileSync(place.topology, recordText(topology, { complete: false }), { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new LabError(
      `there is a lab '${place.name}' already, or what is left of one`,
      `End it with 'sluice lab down --name ${place.name}', or choose another --name.`,
    );
  }
  for (const directory of [place.objects, place.nodeStates, place.addresses, place.pods]) {
    mkdirSync(directory);
  }
}

/** Notes that the lab has come up. */
export function markComplete(place: LabPlace, topology: Topology): void {
  writeWhole(place.topology, recordText(topology, { complete: true }));
}

function recordText(topology: Topology, { complete }: { readonly complete: boolean }): string {
  const record: LabRecord = { complete, topology };
  return `${JSON.stringify(record, undefined, 1)}\n`;
}

/** Every lab of this machine, sorted. */
export function labNames(): string[] {
  if (!existsSync(STATE_ROOT)) return [];
  const names = readdirSync(STATE_ROOT).filter((name) => LAB_NAME.test(name));
  return names.filter((name) => existsSync(new LabPlace(name).topology)).sort();
}

/** What a lab consists of, whether or not it came up. */
export function readTopology(place: LabPlace): Topology {
  return (JSON.parse(readFileSync(place.topology, "utf8")) as LabRecord).topology;
}

/** The lab that is up. Throws LabError for none, or for one that never came up. */
export function loadTopology(place: LabPlace): Topology {
  let record: LabRecord;
  try {
    record = JSON.parse(readFileSync(place.topology, "utf8")) as LabRecord;
  } catch {
    const others = labNames();
    const known = others.length === 0 ? "." : `, or name one with --name: ${others.join(", ")}.`;
    throw new LabError(`there is no lab '${place.name}'`, `Make one with 'sluice lab up'${known}`);
  }
  if (record.complete) return record.topology;
  throw new LabError(
    `lab '${place.name}' is not complete: its 'up' still runs, or was interrupted`,
    `Wait for it, or end it with 'sluice lab down --name ${place.name}'.`,
  );
}

export function savePod(place: LabPlace, pod: LabPod): void {
  writeWhole(join(place.pods, `${pod.name}.json`), `${JSON.stringify(pod)}\n`);
}

export function forgetPod(place: LabPlace, name: string): void {
  rmSync(join(place.pods, `${name}.json`), { force: true });
}

/** Every pod, `pod-2` before `pod-10`. */
export function loadPods(place: LabPlace): LabPod[] {
  const files = readdirSync(place.pods).filter((file) => file.endsWith(".json"));
  const pods = files.map(
    (file) => JSON.parse(readFileSync(join(place.pods, file), "utf8")) as LabPod,
  );
  return pods.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** The pod of this name; also `NAMESPACE/NAME`. */
export function findPod(place: LabPlace, name: string): LabPod {
  const pods = loadPods(place);
  const bare = name.slice(name.lastIndexOf("/") + 1);
  const pod = pods.find((one) => one.name === bare);
  if (pod !== undefined) return pod;
  const known = pods.map((one) => one.name).join(", ") || "none";
  throw new LabError(`there is no pod '${name}' in lab '${place.name}'`, `Its pods: ${known}.`);
}
