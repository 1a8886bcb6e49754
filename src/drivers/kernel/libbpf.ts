// libbpf.so.1 as typed functions: the only file that calls koffi, which checks no types. Results
// are libbpf's own, -errno on failure; what they mean is said by bpf-map.ts, bpf-object.ts,
// bpf-program.ts and traffic-control.ts.
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
  lookup(fd: number, key: Uint8Array, value: Uint8Array): number;
  mapById(id: number): number;
  programById(id: number): number;
  /** Fills `info`, a `struct bpf_prog_info`, and `mapIds` as far as it reaches. */
  programInfo(fd: number, info: Uint8Array, mapIds: Uint32Array): number;
  possibleCPUs(): number;

  /** An object file, not loaded yet; -errno as a number. */
  openObject(path: string): Pointer | number;
  loadObject(object: Pointer): number;
  closeObject(object: Pointer): void;
  /** Undefined: the object has none of this name. */
  findMap(object: Pointer, name: string): Pointer | undefined;
  findProgram(object: Pointer, name: string): Pointer | undefined;
  reuseMap(map: Pointer, fd: number): number;
  resizeMap(map: Pointer, maxEntries: number): number;
  /** Only before the object is loaded, and of the map's whole size. */
  setInitialValue(map: Pointer, bytes: Uint8Array): number;
  mapFd(map: Pointer): number;
  programFd(program: Pointer): number;
  setLog(program: Pointer, log: Log): number;

  /** The four below: the filter's `priority` and `handle` name it. */
  createHook(hook: Hook): number;
  attachFilter(hook: Hook, filter: Filter & { programFd: number; replace: boolean }): number;
  detachFilter(hook: Hook, filter: Filter): number;
  /** `program[0]`: the id of the filter's program. */
  queryFilter(hook: Hook, filter: Filter, program: Uint32Array): number;
}

/** Of C; never null. */
export type Pointer = bigint;

/** Where filters of traffic control hang: BPF_TC_INGRESS is 1, BPF_TC_EGRESS 2. */
export interface Hook {
  readonly ifindex: number;
  readonly point: number;
}

export interface Filter {
  readonly priority: number;
  readonly handle: number;
}

/** Memory outside of the collector's reach, in which libbpf keeps a verifier's log. */
export interface Log {
  readonly address: Pointer;
  /** Bytes. */
  readonly size: number;
  readText(): string;
  free(): void;
}

/** Room for a log of `size` bytes, empty; to be freed, and not to be read after that. */
export function makeLog(size: number): Log {
  const address = koffi.alloc("char", size) as Pointer;
  const bytes = Buffer.from(koffi.view(address, size)).fill(0);
  return {
    address,
    size,
    readText: () => bytes.toString("latin1").replace(/\0.*$/s, ""),
    free: () => koffi.free(address),
  };
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
  if (loaded === undefined) {
    const library = load();
    loaded = { ...bindMaps(library), ...bindObjects(library), ...bindHooks(library) };
  }
  return loaded;
}

function load(): LibraryHandle {
  try {
    return koffi.load(LIBRARY);
  } catch (cause) {
    throw new OperationError({ code: "NoLibbpf", op: "dlopen", target: LIBRARY, cause });
  }
}

type MapCalls = Pick<
  Libbpf,
  "create" | "pin" | "open" | "info" | "updateBatch" | "deleteBatch" | "lookupBatch" | "lookup"
>;

/** Signatures of bpf/bpf.h, libbpf 1.0; options stand as bytes, their first field their size. */
function bindMaps(library: LibraryHandle): MapCalls {
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
    lookup: library.func("int bpf_map_lookup_elem(int, const void *, void *)"),
  };
}

type HookCalls = Pick<Libbpf, "createHook" | "attachFilter" | "detachFilter" | "queryFilter">;
type ObjectCalls = Omit<Libbpf, keyof MapCalls | keyof HookCalls>;

/** Signatures of bpf/libbpf.h, libbpf 1.0. */
function bindObjects(library: LibraryHandle): ObjectCalls {
  // libbpf talks to stderr about what we report ourselves; NULL is its way to be silent.
  library.func("void *libbpf_set_print(void *)")(null);
  const info = library.func("int bpf_obj_get_info_by_fd(int, void *, uint32_t *)");
  const open = library.func("void *bpf_object__open_file(const char *, const void *)");
  const findMap = library.func("void *bpf_object__find_map_by_name(void *, const char *)");
  const findProgram = library.func("void *bpf_object__find_program_by_name(void *, const char *)");
  const setValue = library.func("int bpf_map__set_initial_value(void *, const void *, size_t)");
  const setLog = library.func("int bpf_program__set_log_buf(void *, void *, size_t)");
  // struct bpf_object_open_opts without a field set.
  const none = options({ size: 80 });
  return {
    mapById: library.func("int bpf_map_get_fd_by_id(uint32_t)"),
    programById: library.func("int bpf_prog_get_fd_by_id(uint32_t)"),
    programInfo: (fd, bytes, mapIds) => {
      // struct bpf_prog_info: nr_map_ids at 52, map_ids at 56.
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      view.setUint32(52, mapIds.length, true);
      view.setBigUint64(56, koffi.address(mapIds), true);
      return info(fd, bytes, new Uint32Array([bytes.length]));
    },
    possibleCPUs: library.func("int libbpf_num_possible_cpus()"),
    openObject: (path) => open(path, none) ?? -koffi.errno(),
    loadObject: library.func("int bpf_object__load(void *)"),
    closeObject: library.func("void bpf_object__close(void *)"),
    findMap: (object, name) => findMap(object, name) ?? undefined,
    findProgram: (object, name) => findProgram(object, name) ?? undefined,
    reuseMap: library.func("int bpf_map__reuse_fd(void *, int)"),
    resizeMap: library.func("int bpf_map__set_max_entries(void *, uint32_t)"),
    setInitialValue: (map, bytes) => setValue(map, bytes, bytes.length),
    mapFd: library.func("int bpf_map__fd(void *)"),
    programFd: library.func("int bpf_program__fd(void *)"),
    setLog: (program, { address, size }) => setLog(program, address, size),
  };
}

/** BPF_TC_F_REPLACE of bpf/libbpf.h. */
const REPLACE = 1;

/** Traffic control, libbpf 1.0. */
function bindHooks(library: LibraryHandle): HookCalls {
  const create = library.func("int bpf_tc_hook_create(void *)");
  const attach = library.func("int bpf_tc_attach(void *, void *)");
  const detach = library.func("int bpf_tc_detach(void *, void *)");
  const query = library.func("int bpf_tc_query(void *, void *)");
  // struct bpf_tc_hook: size_t size · int ifindex · int attach_point · u32 parent.
  const hookOf = ({ ifindex, point }: Hook) => new Uint32Array([24, 0, ifindex, point, 0, 0]);
  // struct bpf_tc_opts: size_t size · int prog_fd · u32 flags · prog_id · handle · priority.
  const optionsOf = ({ priority, handle }: Filter, fd = 0, flags = 0) =>
    new Uint32Array([32, 0, fd, flags, 0, handle, priority, 0]);
  return {
    createHook: (hook) => create(hookOf(hook)),
    attachFilter: (hook, filter) =>
      attach(hookOf(hook), optionsOf(filter, filter.programFd, filter.replace ? REPLACE : 0)),
    detachFilter: (hook, filter) => detach(hookOf(hook), optionsOf(filter)),
    queryFilter: (hook, filter, program) => {
      const asked = optionsOf(filter);
      const result = query(hookOf(hook), asked) as number;
      program[0] = asked[4] ?? 0;
      return result;
    },
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
