// libbpf.so.1 as typed functions: the only file that calls koffi, which checks no types. Results
// are libbpf's own, -errno on failure; what they mean for a map is bpf-map.ts.
//
// Every call is synchronous, so that no Buffer can be collected while the kernel uses it.

import koffi from "koffi";
import type { LibraryHandle } from "koffi";
import { OperationError } from "../../lib/operation-error.ts";

export interface Libbpf {
  create(spec: {
    readonly type: number;
    readonly name: string;
    readonly keySize: number;
    readonly valueSize: number;
    readonly maxEntries: number;
    readonly flags: number;
  }): number;
  pin(fd: number, path: string): number;
  /** `fileFlags`: 0 or `READ_ONLY`. */
  open(path: string, fileFlags: number): number;
  /** Fills `info`, a `struct bpf_map_info` of which the kernel writes as much as fits. */
  info(fd: number, info: Uint8Array): number;
  /** `count[0]`: entries given, and then entries done, also where the result is an error. */
  updateBatch(fd: number, keys: Uint8Array, values: Uint8Array, count: Uint32Array): number;
  deleteBatch(fd: number, keys: Uint8Array, count: Uint32Array): number;
  lookupBatch(fd: number, batch: LookupBatch): number;
}

/** Where one batch of a dump begins, and the room for what it finds. */
export interface LookupBatch {
  /** The cursor that the last call left in `next`; undefined: from the beginning. */
  readonly from: Uint8Array | undefined;
  /** Room for a key. */
  readonly next: Uint8Array;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: Uint32Array;
}

/** BPF_F_RDONLY of linux/bpf.h, for opening. */
export const READ_ONLY = 1 << 3;

const LIBRARY = "libbpf.so.1";

let loaded: Libbpf | undefined;

/** The library, loaded at the first call. Throws OperationError `NoLibbpf`. */
export function libbpf(): Libbpf {
  return (loaded ??= bind(load()));
}

function load(): LibraryHandle {
  try {
    return koffi.load(LIBRARY);
  } catch (cause) {
    throw new OperationError({ code: "NoLibbpf", op: "dlopen", target: LIBRARY, cause });
  }
}

/** Signatures of bpf/bpf.h, libbpf 1.0; options stand as bytes, their first field their size. */
function bind(library: LibraryHandle): Libbpf {
  const create = library.func(
    "int bpf_map_create(int, const char *, uint32_t, uint32_t, uint32_t, const void *)",
  );
  const pin = library.func("int bpf_obj_pin(int, const char *)");
  const open = library.func("int bpf_obj_get_opts(const char *, const void *)");
  const info = library.func("int bpf_obj_get_info_by_fd(int, void *, uint32_t *)");
  const update = library.func(
    "int bpf_map_update_batch(int, const void *, const void *, uint32_t *, const void *)",
  );
  const remove = library.func(
    "int bpf_map_delete_batch(int, const void *, uint32_t *, const void *)",
  );
  const lookup = library.func(
    "int bpf_map_lookup_batch(int, void *, void *, void *, void *, uint32_t *, const void *)",
  );
  const batch = options({ size: 24 });
  return {
    create: ({ type, name, keySize, valueSize, maxEntries, flags }) => {
      // struct bpf_map_create_opts: map_flags at 28.
      const opts = options({ size: 48, at: 28, value: flags });
      return create(type, name, keySize, valueSize, maxEntries, opts);
    },
    pin,
    // struct bpf_obj_get_opts: file_flags at 8.
    open: (path, fileFlags) => open(path, options({ size: 16, at: 8, value: fileFlags })),
    info: (fd, bytes) => info(fd, bytes, new Uint32Array([bytes.length])),
    updateBatch: (fd, keys, values, count) => update(fd, keys, values, count, batch),
    deleteBatch: (fd, keys, count) => remove(fd, keys, count, batch),
    // No cursor is NULL by the contract of this call; nowhere else is one passed.
    lookupBatch: (fd, { from, next, keys, values, count }) =>
      lookup(fd, from ?? null, next, keys, values, count, batch),
  };
}

/** An options structure of `size` bytes with one 32-bit field set. */
function options(one: { size: number; at?: number; value?: number }): Uint8Array {
  const words = new Uint32Array(one.size / 4);
  // size_t comes first; its upper half is zero, and so little-endian is assumed: x64 and arm64.
  words[0] = one.size;
  if (one.at !== undefined) words[one.at / 4] = one.value ?? 0;
  return new Uint8Array(words.buffer);
}
