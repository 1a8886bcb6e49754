// Policy maps by a second hand: libbpf called directly, one entry at a time, and another codec,
// written from the table in docs/semantics.md (rule 7.5) without a line of src/.

import { closeSync } from "node:fs";
import koffi from "koffi";

const LPM_TRIE = 11;
/** BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG */
const FLAGS = 0x81;

type Func = ReturnType<ReturnType<typeof koffi.load>["func"]>;
const bound = new Map<string, Func>();

/** A function of libbpf, by its C declaration. */
function func(declaration: string): Func {
  let found = bound.get(declaration);
  if (found === undefined) {
    bound.set(declaration, (found = koffi.load("libbpf.so.1").func(declaration)));
  }
  return found;
}

export interface RawShape {
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly type?: number;
  readonly flags?: number;
}

/** A descriptor, or -errno. */
export function createMap(shape: RawShape): number {
  const { keySize, valueSize, maxEntries, type = LPM_TRIE, flags = FLAGS } = shape;
  const options = Buffer.alloc(48);
  options.writeUInt32LE(48, 0);
  options.writeUInt32LE(flags, 28);
  return func("int bpf_map_create(int, const char *, uint32_t, uint32_t, uint32_t, void *)")(
    type,
    "raw",
    keySize,
    valueSize,
    maxEntries,
    options,
  );
}

/** Makes a map as somebody else would, pins it and puts these entries in. */
export function pinForeign(
  path: string,
  shape: RawShape,
  entries: readonly (readonly [Buffer, Buffer])[],
): void {
  const fd = createMap(shape);
  if (fd < 0) throw new Error(`${path}: bpf_map_create: ${fd}`);
  for (const [key, value] of entries) {
    const result = func(UPDATE)(fd, key, value, 0) as number;
    if (result < 0) throw new Error(`${path}: bpf_map_update_elem: ${result}`);
  }
  const result = func("int bpf_obj_pin(int, const char *)")(fd, path) as number;
  closeSync(fd);
  if (result < 0) throw new Error(`${path}: bpf_obj_pin: ${result}`);
}

const UPDATE = "int bpf_map_update_elem(int, const void *, const void *, uint64_t)";

export function openMap(path: string): number {
  const fd = func("int bpf_obj_get(const char *)")(path) as number;
  if (fd < 0) throw new Error(`${path}: ${fd}`);
  return fd;
}

/** What a packet would find: the value of the longest prefix, or undefined. */
export function lookup(fd: number, key: Buffer, valueSize: number): Buffer | undefined {
  const value = Buffer.alloc(valueSize);
  const result = func("int bpf_map_lookup_elem(int, const void *, void *)")(fd, key, value);
  return result === 0 ? value : undefined;
}

/** Every entry as hexadecimal `key=value`, sorted. */
export function entriesOf(
  fd: number,
  { keySize, valueSize }: Pick<RawShape, "keySize" | "valueSize">,
): string[] {
  const nextKey = func("int bpf_map_get_next_key(int, const void *, void *)");
  const entries: string[] = [];
  let from: Buffer | null = null;
  for (;;) {
    const next = Buffer.alloc(keySize);
    if (nextKey(fd, from, next) < 0) return entries.sort();
    entries.push(`${next.toString("hex")}=${lookup(fd, next, valueSize)?.toString("hex")}`);
    from = next;
  }
}

/** `10.0.1.5`, `203.0.113.0/24` -> the key; host bits stay as they are written. */
export function rawKey(source: string, destination: string): Buffer {
  const [address = "", length = ""] = destination.split("/");
  const bytes = rawAddress(source);
  const prefixlen = Buffer.alloc(4);
  prefixlen.writeUInt32LE(bytes.length * 8 + Number(length));
  return Buffer.concat([prefixlen, bytes, rawAddress(address)]);
}

/** `ifindex` undefined: a value of the old `v4` map. */
export function rawValue(egressIP: string, gatewayIP: string, ifindex?: number): Buffer {
  const addresses = [rawAddress(egressIP), rawAddress(gatewayIP)];
  if (ifindex === undefined) return Buffer.concat(addresses);
  const rest = Buffer.alloc(20);
  rest.writeUInt32LE(ifindex, 12);
  return Buffer.concat([...addresses, rest]);
}

function rawAddress(text: string): Buffer {
  if (!text.includes(":")) return Buffer.from(text.split(".").map(Number));
  const [head = "", tail = ""] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...new Array<string>(missing).fill("0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
