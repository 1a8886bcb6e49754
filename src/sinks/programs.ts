// Our programs in the kernel: loaded on maps that outlive them, hung at devices; and what the maps
// count and know. Without the agent everything goes on; the next one finds maps and programs again.

import { readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { BpfMap } from "../drivers/kernel/bpf-map.ts";
import { BpfObject } from "../drivers/kernel/bpf-object.ts";
import { readProgramFd } from "../drivers/kernel/bpf-program.ts";
import { checkBpffs, keepPinned, makeDirectory } from "../drivers/kernel/bpffs.ts";
import { present } from "../lib/assert.ts";
import { OperationError } from "../lib/operation-error.ts";
import type { Address } from "../net/address.ts";
import type { DatapathSettings, IndexedAddress, NodeDatapath } from "../reconcile/datapath.ts";
import {
  ABI_DIRECTORY,
  COUNTED_REASONS,
  COUNTERS,
  DATAPATH_MAPS,
  decodeEgress,
  decodeGateways,
  encodeSettings,
  SETTINGS_MAP,
} from "../reconcile/datapath-maps.ts";
import { MARK_SHIFT_MAX } from "../reconcile/mark.ts";
import type { Attachment, AttachOutcome, LoadedProgram } from "./attachments.ts";
import { applyAttachments, detachAll, removeEmptyHooks } from "./attachments.ts";
import type { DatapathMapOutcome, OpenMap } from "./datapath-maps.ts";
import { applyDatapathMaps } from "./datapath-maps.ts";
import type { MapsByName } from "./program-maps.ts";
import {
  closeMaps,
  openPinnedMaps,
  openPolicyMapsToRead,
  OUR_MAPS,
  replacePin,
} from "./program-maps.ts";

/** The programs in the object, and the names of their pins. */
export const PROGRAM_NAMES = {
  fromPod: "sluice_from_pod",
  toTunnel: "sluice_to_tunnel",
  fromTunnel: "sluice_from_tunnel",
} as const;

export interface ProgramsOptions {
  /** Path of sluice.bpf.o. */
  readonly object: string;
  /** In a bpffs, made if missing; ours are pinned in ABI_DIRECTORY below it. */
  readonly directory: string;
  /** Where the policy maps are pinned. */
  readonly policyMapDirectory: string;
  readonly settings: DatapathSettings;
  /** This node's internal IPv4 address. */
  readonly self: Address;
  /** Room for endpoints of a map that is made; one found keeps its own. */
  readonly endpointsMax?: number;
  /** Every device, by ifindex: where programs of an earlier life may hang. */
  readonly devices?: readonly number[];
}

export interface Programs {
  /**
   * Makes the maps say what `desired` says; deletes only when all sources are synced (`prune`).
   * One call at a time, and one before the first `attach`.
   */
  apply(desired: NodeDatapath, how: { readonly prune: boolean }): Promise<DatapathMapOutcome[]>;
  /** Somebody else may have written the maps: the next `apply` looks what is there. */
  doubt(): void;
  /**
   * Hangs the programs at the tunnel (its ifindex; 0: there is none yet) and at pods' devices, in
   * one step where older ones hang, and takes ours away from all others. May be repeated.
   */
  attach(wanted: { readonly tunnel: number; readonly pods: readonly number[] }): AttachOutcome;
  /** What the maps say of gateways and of egress IPs, by index: to be kept after a restart. */
  gatewayIndexes(): Promise<IndexedAddress[]>;
  egressIndexes(): Promise<IndexedAddress[]>;
  /** Packets by the name of the reason, over all CPUs, since the map was made. */
  counters(): Promise<Map<string, number>>;
  /** Lets go; pins and attachments stay. */
  close(): void;
}

/**
 * Finds or makes the maps and loads the programs; nothing hangs anywhere yet. Throws
 * OperationError before anything is changed.
 */
export function openPrograms(options: ProgramsOptions): Programs {
  const directory = join(options.directory, ABI_DIRECTORY);
  checkSettings(options);
  checkBpffs(directory);
  const policyMaps = openPolicyMapsToRead(options.policyMapDirectory);
  let maps: MapsByName = new Map();
  let object: BpfObject | undefined;
  try {
    maps = openPinnedMaps(directory);
    object = BpfObject.open(options.object);
    for (const [name, map] of [...policyMaps, ...maps]) object.reuse(name, map);
    load(object, maps, options);
    pinAll({ object, maps, directory });
    return new OpenPrograms(object, directory, options.devices ?? []);
  } catch (error) {
    object?.close();
    throw error;
  } finally {
    closeMaps(policyMaps);
    closeMaps(maps);
  }
}

/**
 * Uninstalls: nothing of ours hangs at `devices` or is pinned in `directory` any more. False: there
 * was nothing.
 */
export async function removePrograms(options: {
  readonly directory: string;
  readonly devices: readonly number[];
}): Promise<boolean> {
  const detached = detachAll(options.devices);
  await removeEmptyHooks(detached);
  const versions = list(options.directory).filter((name) => /^sluice-v[0-9]+$/.test(name));
  for (const version of versions) {
    const directory = join(options.directory, version);
    for (const name of list(directory)) unlinkSync(join(directory, name));
    rmdirSync(directory);
  }
  return detached.length > 0 || versions.length > 0;
}

function checkSettings({ settings: { vni, markShift }, self, object }: ProgramsOptions): void {
  const wrong =
    self.length !== 4
      ? "this node has no internal IPv4 address"
      : !(vni >= 0 && vni < 1 << 24)
        ? `${vni} is no VNI: it has 24 bits`
        : !(markShift >= 0 && markShift <= MARK_SHIFT_MAX)
          ? `marks cannot be shifted by ${markShift} bits`
          : undefined;
  if (wrong === undefined) return;
  throw new OperationError({ code: "EINVAL", op: "settings", target: object, detail: wrong });
}

function load(object: BpfObject, maps: MapsByName, options: ProgramsOptions): void {
  const { settings, self, endpointsMax } = options;
  const { name } = DATAPATH_MAPS.endpoints;
  if (endpointsMax !== undefined && !maps.has(name)) object.resize(name, endpointsMax);
  object.setConstants(SETTINGS_MAP, encodeSettings(self, settings));
  object.load(Object.values(PROGRAM_NAMES));
}

interface ToPin {
  readonly object: BpfObject;
  readonly maps: MapsByName;
  readonly directory: string;
}

function pinAll({ object, maps, directory }: ToPin): void {
  makeDirectory(directory);
  for (const { name } of OUR_MAPS) {
    if (!maps.has(name)) replacePin(join(directory, name), (path) => object.pinMap(name, path));
  }
  for (const name of Object.values(PROGRAM_NAMES)) {
    replacePin(join(directory, name), (path) => object.pinProgram(name, path));
  }
}

class OpenPrograms implements Programs {
  readonly #object: BpfObject;
  readonly #directory: string;
  readonly #maps = new Map<string, BpfMap>();
  readonly #entries: readonly OpenMap[];
  /** Devices that may carry ours. */
  #carrying: ReadonlySet<number>;

  constructor(object: BpfObject, directory: string, devices: readonly number[]) {
    this.#object = object;
    this.#directory = directory;
    this.#carrying = new Set(devices);
    try {
      for (const { name } of OUR_MAPS) {
        this.#maps.set(name, BpfMap.open(join(directory, name), "write"));
      }
    } catch (error) {
      closeMaps(this.#maps);
      throw error;
    }
    this.#entries = Object.values(DATAPATH_MAPS).map((layout) => ({
      ...{ layout, map: this.#map(layout.name), held: undefined },
    }));
  }

  apply(desired: NodeDatapath, how: { readonly prune: boolean }): Promise<DatapathMapOutcome[]> {
    this.#keepPinned();
    return applyDatapathMaps(this.#entries, desired, how);
  }

  doubt(): void {
    for (const map of this.#entries) map.held = undefined;
  }

  attach({ tunnel, pods }: { readonly tunnel: number; readonly pods: readonly number[] }) {
    const { fromPod, toTunnel, fromTunnel } = PROGRAM_NAMES;
    const wanted: Attachment[] = [];
    if (tunnel !== 0) {
      // What leaves comes back, so the way in is there first.
      wanted.push({ ifindex: tunnel, direction: "ingress", program: this.#program(fromTunnel) });
      wanted.push({ ifindex: tunnel, direction: "egress", program: this.#program(toTunnel) });
    }
    const program = this.#program(fromPod);
    for (const ifindex of pods) wanted.push({ ifindex, direction: "ingress", program });
    const outcome = applyAttachments(wanted, this.#carrying);
    const failed = outcome.failed.map(({ ifindex }) => ifindex);
    this.#carrying = new Set([...wanted.map(({ ifindex }) => ifindex), ...failed]);
    return outcome;
  }

  async gatewayIndexes(): Promise<IndexedAddress[]> {
    return decodeGateways(await this.#map(DATAPATH_MAPS.gatewayByIndex.name).dump());
  }

  async egressIndexes(): Promise<IndexedAddress[]> {
    return decodeEgress(await this.#map(DATAPATH_MAPS.egress.name).dump());
  }

  counters(): Promise<Map<string, number>> {
    const map = this.#map(COUNTERS.name);
    const counted = COUNTED_REASONS.map((name, reason): [string, number] => {
      const packets = map.lookupEachCPU(new Uint8Array(new Uint32Array([reason]).buffer));
      return [name, Number(packets.reduce((sum, one) => sum + one, 0n))];
    });
    return Promise.resolve(new Map(counted));
  }

  close(): void {
    closeMaps(this.#maps);
    this.#object.close();
  }

  /** Others may empty the BPF file system; a later process should find everything. */
  #keepPinned(): void {
    for (const [name, map] of this.#maps) {
      keepPinned(join(this.#directory, name), (path) => map.pin(path));
    }
    for (const name of Object.values(PROGRAM_NAMES)) {
      keepPinned(join(this.#directory, name), (path) => this.#object.pinProgram(name, path));
    }
  }

  #map(name: string): BpfMap {
    return present(this.#maps.get(name), name);
  }

  #program(name: string): LoadedProgram {
    const fd = this.#object.programFd(name);
    return { fd, id: readProgramFd(fd).id };
  }
}

/** What a directory holds; nothing where there is none. */
function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new OperationError({ code, op: "readdir", target: directory, cause });
  }
}
