// One BPF map: made, pinned, opened, read and written in batches. It knows the kernel's habits, not
// what the bytes mean. Meant for hash-like maps with a single writer.

import { closeSync } from "node:fs";
import { assert } from "../../lib/assert.ts";
import { KeyTable } from "../../lib/key-table.ts";
import { errnoName, OperationError } from "../../lib/operation-error.ts";
import type { BatchResult } from "./batch.ts";
import { CHUNK_ENTRIES, Patience, runBatch, turn } from "./batch.ts";
import { libbpf, READ_ONLY } from "./libbpf.ts";

/** BPF_MAP_TYPE_LPM_TRIE of linux/bpf.h. */
export const LPM_TRIE = 11;
/** BPF_F_NO_PREALLOC and BPF_F_RDONLY_PROG of linux/bpf.h. */
export const NO_PREALLOC = 1 << 0;
export const RDONLY_PROG = 1 << 7;

/** What makes two maps alike for those who read them; sizes in bytes. */
export interface MapShape {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly flags: number;
}

export interface MapInfo extends MapShape {
  /** At most 15 characters: the kernel cuts names. */
  readonly name: string;
  readonly maxEntries: number;
}

/** Bytes of struct bpf_map_info up to its name's end. */
const INFO_BYTES = 40;

export class BpfMap {
  readonly info: MapInfo;
  /** The path or name that errors show. */
  readonly target: string;
  readonly #fd: number;

  private constructor(fd: number, target: string) {
    this.#fd = fd;
    this.target = target;
    this.info = readInfo(fd, target);
  }

  /** The map that is pinned at `path`; ENOENT where nothing is. */
  static open(path: string, access: "write" | "read"): BpfMap {
    const result = libbpf().open(path, access === "read" ? READ_ONLY : 0);
    return new BpfMap(checked(result, "bpf_obj_get", path), path);
  }

  /** A new map, gone when it is closed unless it is pinned. */
  static create(name: string, shape: MapShape, maxEntries: number): BpfMap {
    const result = libbpf().create({ ...shape, name, maxEntries });
    return new BpfMap(checked(result, "bpf_map_create", name), name);
  }

  /** The map of this id; ENOENT where it is gone. */
  static byId(id: number): BpfMap {
    const target = `map ${id}`;
    return new BpfMap(checked(libbpf().mapById(id), "bpf_map_get_fd_by_id", target), target);
  }

  /** The descriptor, for those who hand the map on; it stays ours to close. */
  get fd(): number {
    return this.#fd;
  }

  /** The value that each possible CPU has of one entry, one after the other; 8 bytes each. */
  lookupEachCPU(key: Uint8Array): BigUint64Array {
    const cpus = checked(libbpf().possibleCPUs(), "libbpf_num_possible_cpus", this.target);
    assert(this.info.valueSize === BigUint64Array.BYTES_PER_ELEMENT, "a value is one u64");
    const values = new BigUint64Array(cpus);
    const result = libbpf().lookup(this.#fd, key, new Uint8Array(values.buffer));
    checked(result, "bpf_map_lookup_elem", this.target);
    return values;
  }

  pin(path: string): void {
    checked(libbpf().pin(this.#fd, path), "bpf_obj_pin", path);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Writes entries in their order; stops at the first that the kernel refuses. */
  update(keys: Uint8Array, values: Uint8Array): Promise<BatchResult> {
    const { keySize, valueSize } = this.info;
    assert(keys.length / keySize === values.length / valueSize, "a value for every key");
    return runBatch({
      total: keys.length / keySize,
      op: "bpf_map_update_batch",
      target: this.target,
      act: (from, to, count) =>
        libbpf().updateBatch(
          this.#fd,
          keys.subarray(from * keySize, to * keySize),
          values.subarray(from * valueSize, to * valueSize),
          count,
        ),
    });
  }

  /** Deletes keys; those that are not there count as done. */
  delete(keys: Uint8Array): Promise<BatchResult> {
    const { keySize } = this.info;
    return runBatch({
      total: keys.length / keySize,
      op: "bpf_map_delete_batch",
      target: this.target,
      act: (from, to, count) => {
        const chunk = keys.subarray(from * keySize, to * keySize);
        const result = libbpf().deleteBatch(this.#fd, chunk, count);
        if (result >= 0 || errnoName(result) !== "ENOENT") return result;
        // The kernel stops at a missing key: the rest goes on behind it.
        count[0] = (count[0] as number) + 1;
        return 0;
      },
    });
  }

  /**
   * Every entry, each key once, in the kernel's order. A deleted cursor makes the kernel start
   * over, so keys seen twice are left out, and a map that never ends is `Unsettled`.
   */
  async dump(): Promise<{ keys: Uint8Array; values: Uint8Array; count: number }> {
    const { keySize, valueSize, maxEntries } = this.info;
    const seen = new KeyTable(keySize);
    let values = new Uint8Array(CHUNK_ENTRIES * valueSize);
    const chunk = {
      keys: new Uint8Array(CHUNK_ENTRIES * keySize),
      values: new Uint8Array(CHUNK_ENTRIES * valueSize),
      count: new Uint32Array(1),
    };
    const patience = new Patience();
    let from: Uint8Array | undefined;
    let read = 0;
    while (read <= 2 * maxEntries + CHUNK_ENTRIES) {
      const next = new Uint8Array(keySize);
      chunk.count[0] = CHUNK_ENTRIES;
      const result = libbpf().lookupBatch(this.#fd, { from, next, ...chunk });
      const ended = result < 0 && errnoName(result) === "ENOENT";
      const found = chunk.count[0];
      if (result < 0 && !ended && !patience.allows(result, found)) {
        const op = "bpf_map_lookup_batch";
        throw new OperationError({ code: errnoName(result), op, target: this.target });
      }
      for (let i = 0; i < found; i++) {
        if (!seen.add(chunk.keys, i)) continue;
        if (seen.size * valueSize > values.length) values = doubled(values);
        const to = (seen.size - 1) * valueSize;
        for (let b = 0; b < valueSize; b++) values[to + b] = chunk.values[i * valueSize + b] ?? 0;
      }
      if (ended) {
        const count = seen.size;
        return { keys: seen.keys, values: values.subarray(0, count * valueSize), count };
      }
      read += found;
      if (found > 0) from = next;
      await turn();
    }
    throw new OperationError({ code: "Unsettled", op: "dump", target: this.target });
  }
}

function readInfo(fd: number, target: string): MapInfo {
  const bytes = new Uint8Array(INFO_BYTES);
  try {
    checked(libbpf().info(fd, bytes), "bpf_obj_get_info_by_fd", target);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const words = new Uint32Array(bytes.buffer);
  const [type = 0, , keySize = 0, valueSize = 0, maxEntries = 0, flags = 0] = words;
  const name = Buffer.from(bytes.subarray(24)).toString("latin1").replace(/\0.*$/s, "");
  return { type, keySize, valueSize, maxEntries, flags, name };
}

function checked(result: number, op: string, target: string): number {
  if (result >= 0) return result;
  throw new OperationError({ code: errnoName(result), op, target });
}

function doubled(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
