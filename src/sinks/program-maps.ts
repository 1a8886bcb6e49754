// The maps that our programs use and that outlive them: found where they are pinned, and pinned
// again where somebody emptied the bpffs below running programs. A map of another shape is refused.

import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { MapShape } from "../drivers/kernel/bpf-map.ts";
import { BpfMap } from "../drivers/kernel/bpf-map.ts";
import { checkBpffs, makeDirectory } from "../drivers/kernel/bpffs.ts";
import type { ProgramInfo } from "../drivers/kernel/bpf-program.ts";
import { readProgram } from "../drivers/kernel/bpf-program.ts";
import { OperationError } from "../lib/operation-error.ts";
import { MAP_LAYOUTS } from "../plan/map-layout.ts";
import type { DatapathMapLayout } from "../reconcile/datapath-maps.ts";
import {
  ABI_DIRECTORY,
  COUNTED_REASONS,
  COUNTERS,
  DATAPATH_MAPS,
  MAP_TYPE,
  READ_ONLY_FLAGS,
} from "../reconcile/datapath-maps.ts";
import { findAttached } from "./attachments.ts";

/** Every map of ours. */
export const OUR_MAPS: readonly DatapathMapLayout[] = [...Object.values(DATAPATH_MAPS), COUNTERS];

/** The two that the programs read and others make. */
const POLICY_MAPS: readonly DatapathMapLayout[] = [MAP_LAYOUTS.v4_v2, MAP_LAYOUTS.v6].map(
  (layout) => ({ ...layout, type: MAP_TYPE.lpmTrie, flags: READ_ONLY_FLAGS }),
);

/** Characters that the kernel keeps of a name. */
const KERNEL_NAME_MAX = 15;

/** Maps by name, to be closed together. */
export type MapsByName = ReadonlyMap<string, BpfMap>;

export function closeMaps(maps: MapsByName): void {
  for (const map of maps.values()) map.close();
}

/**
 * The two policy maps that the programs read, whoever made them. Throws OperationError: ENOENT
 * where one is not pinned, `ForeignLayout`.
 */
export function openPolicyMapsToRead(directory: string): Map<string, BpfMap> {
  return collect(POLICY_MAPS, (layout) => {
    return checkShape(BpfMap.open(join(directory, layout.name), "write"), layout);
  });
}

/** Those of ours that are pinned. Throws OperationError `ForeignLayout`. */
export function openPinnedMaps(directory: string): Map<string, BpfMap> {
  return collect(OUR_MAPS, (layout) => {
    const map = unlessMissing(() => BpfMap.open(join(directory, layout.name), "write"));
    if (map === undefined) return undefined;
    checkShape(map, layout);
    // A release with more reasons than the last one counts from zero.
    if (layout !== COUNTERS || map.info.maxEntries === COUNTED_REASONS.length) return map;
    map.close();
    return undefined;
  });
}

/**
 * Pins maps again that attached programs use and whose pins are lost, so that nothing starts from
 * empty maps; to be called before anything is opened. Gives their paths. Throws OperationError.
 */
export function restorePins(options: {
  /** As in ProgramsOptions. */
  readonly directory: string;
  readonly policyMapDirectory: string;
  /** Every device, by ifindex. */
  readonly devices: readonly number[];
}): string[] {
  const ours = join(options.directory, ABI_DIRECTORY);
  const lost = [
    ...OUR_MAPS.map((layout) => ({ layout, directory: ours })),
    ...POLICY_MAPS.map((layout) => ({ layout, directory: options.policyMapDirectory })),
  ].filter(({ layout, directory }) => !existsSync(join(directory, layout.name)));
  if (lost.length === 0) return [];
  checkBpffs(ours);
  checkBpffs(options.policyMapDirectory);
  const programs = findAttached(options.devices).map((id) => readLost(id, options.directory));
  const restored: string[] = [];
  for (const id of new Set(programs.flatMap((program) => program?.mapIds ?? []))) {
    const map = unlessMissing(() => BpfMap.byId(id));
    if (map === undefined) continue;
    const at = lost.findIndex(({ layout }) => isNamed(map, layout) && hasShape(map, layout));
    // Programs of two versions may hang there, each with maps of its own: one of each is enough.
    for (const { layout, directory } of at < 0 ? [] : lost.splice(at, 1)) {
      makeDirectory(directory);
      const path = join(directory, layout.name);
      map.pin(path);
      restored.push(path);
    }
    map.close();
  }
  return restored.sort();
}

/** A program whose pins are lost; only with CAP_SYS_ADMIN can it be asked what it uses. */
function readLost(id: number, target: string): ProgramInfo | undefined {
  try {
    return readProgram(id);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "EPERM") throw error;
    throw new OperationError({ code: "PinsLost", op: error.op, target, cause: error });
  }
}

/** Pins in one step in place of what is pinned there. */
export function replacePin(path: string, pin: (path: string) => void): void {
  // A name with a dot is refused by the bpffs.
  const fresh = `${path}_new`;
  try {
    rmSync(fresh, { force: true });
    pin(fresh);
    renameSync(fresh, path);
  } catch (cause) {
    if (cause instanceof OperationError) throw cause;
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "rename", target: path, cause });
  }
}

/** Opens one after the other; if one fails, those before are closed. */
function collect<L extends { readonly name: string }>(
  layouts: readonly L[],
  open: (layout: L) => BpfMap | undefined,
): Map<string, BpfMap> {
  const maps = new Map<string, BpfMap>();
  try {
    for (const layout of layouts) {
      const map = open(layout);
      if (map !== undefined) maps.set(layout.name, map);
    }
    return maps;
  } catch (error) {
    closeMaps(maps);
    throw error;
  }
}

function checkShape(map: BpfMap, wanted: MapShape): BpfMap {
  if (hasShape(map, wanted)) return map;
  const found = `a map of another layout is pinned here: ${render(map.info)}`;
  const detail = `${found}; wanted: ${render(wanted)}`;
  const { target } = map;
  map.close();
  throw new OperationError({ code: "ForeignLayout", op: "bpf_obj_get", target, detail });
}

function isNamed({ info }: BpfMap, { name }: DatapathMapLayout): boolean {
  return info.name === name.slice(0, KERNEL_NAME_MAX);
}

function hasShape({ info }: BpfMap, wanted: MapShape): boolean {
  return render(info) === render(wanted);
}

function render({ type, keySize, valueSize, flags }: MapShape): string {
  const sizes = `key ${keySize} bytes, value ${valueSize} bytes`;
  return `type ${type}, ${sizes}, flags 0x${flags.toString(16)}`;
}

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof OperationError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
