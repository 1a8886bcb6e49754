// Checks of the BPF file system and of what is pinned where our maps go.

import { existsSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import type { MapShape } from "../../../drivers/kernel/bpf-map.ts";
import { BpfMap, LPM_TRIE, NO_PREALLOC, RDONLY_PROG } from "../../../drivers/kernel/bpf-map.ts";
import { checkBpffs } from "../../../drivers/kernel/bpffs.ts";
import { OperationError } from "../../../lib/operation-error.ts";
import { counted } from "../../../lib/text.ts";
import { MAP_LAYOUTS } from "../../../plan/map-layout.ts";
import { ABI_DIRECTORY, COUNTERS, DATAPATH_MAPS } from "../../../reconcile/datapath-maps.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";

export interface PinPlaces {
  readonly bpfDirectory: string;
  readonly policyMapDirectory: string;
}

/** Whether both directories are, or can be made, in a BPF file system. */
export function checkBpfFileSystem(places: PinPlaces): Finding[] {
  const check = "bpffs";
  const { bpfDirectory, policyMapDirectory } = places;
  const inside = isInside(policyMapDirectory, bpfDirectory);
  const directories = inside ? [bpfDirectory] : [bpfDirectory, policyMapDirectory];
  return directories.map((directory) => {
    try {
      checkBpffs(directory);
      return ok(check, `${directory} is in a BPF file system`);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      return bad("error", { check, message: error.message, remedy: error.remedy });
    }
  });
}

/** True if what holds for `outer` holds for `inner`: nothing else is mounted in between. */
function isInside(inner: string, outer: string): boolean {
  const path = relative(outer, inner);
  return path === "" || (!path.startsWith("..") && !isAbsolute(path) && !existsSync(inner));
}

/** Whether maps that are pinned already are of our layouts. Opens them for reading only. */
export function checkPinnedMaps(places: PinPlaces, datapath: "sluice" | "none"): Finding[] {
  const check = "maps";
  const findings: Finding[] = [];
  let found = 0;
  for (const { path, shape } of ourMaps(places, datapath)) {
    const actual = pinnedShape(path);
    if (actual === undefined) continue;
    found++;
    if (actual instanceof OperationError) {
      const { message, remedy } = actual;
      findings.push(bad("error", { check, message, remedy }));
    } else if (renderShape(actual) !== renderShape(shape)) {
      const message =
        `a map of another layout is pinned at ${path}: ${renderShape(actual)}; ` +
        `wanted: ${renderShape(shape)}`;
      const remedy = `see who made it; remove the pin (rm ${path}) or choose another directory`;
      findings.push(bad("error", { check, message, remedy }));
    }
  }
  if (findings.length > 0) return findings;
  const known = found === 0 ? "nothing is pinned yet" : `${counted(found, "map")} of our layouts`;
  return [ok(check, `${known} in ${places.policyMapDirectory}`)];
}

function ourMaps(
  { bpfDirectory, policyMapDirectory }: PinPlaces,
  datapath: "sluice" | "none",
): { path: string; shape: MapShape }[] {
  const policy = Object.values(MAP_LAYOUTS).map(({ name, keySize, valueSize }) => ({
    path: join(policyMapDirectory, name),
    shape: { type: LPM_TRIE, keySize, valueSize, flags: NO_PREALLOC | RDONLY_PROG },
  }));
  const own = [...Object.values(DATAPATH_MAPS), COUNTERS].map((layout) => ({
    path: join(bpfDirectory, ABI_DIRECTORY, layout.name),
    shape: layout,
  }));
  return datapath === "none" ? policy : [...policy, ...own];
}

/** Undefined: nothing is pinned there, or no file system is there to pin in. */
function pinnedShape(path: string): MapShape | OperationError | undefined {
  try {
    const map = BpfMap.open(path, "read");
    map.close();
    return map.info;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { code } = error;
    // Other checks say that there is no library, no permission or no BPF file system.
    return ["ENOENT", "ENOTDIR", "EPERM", "NoLibbpf"].includes(code) ? undefined : error;
  }
}

function renderShape({ type, keySize, valueSize, flags }: MapShape): string {
  const kind = type === LPM_TRIE ? "LPM trie" : `map type ${type}`;
  return `${kind}, key ${keySize} bytes, value ${valueSize} bytes, flags 0x${flags.toString(16)}`;
}
