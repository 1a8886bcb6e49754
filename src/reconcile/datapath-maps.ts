// A node's datapath as entries of our programs' maps, and back. bpf/sluice.h says the same in C.
// Addresses in keys are 16 bytes: IPv6, or IPv4 as ::ffff:a.b.c.d. Entries stand packed and in the
// order of the datapath's lists. The policy maps are Cilium's, see plan/map-layout.ts.

import { assert } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { prefixAddress, prefixLength } from "../net/prefix.ts";
import type { Entries } from "../plan/map-layout.ts";
import { REASONS } from "../plan/reason.ts";
import type { DatapathSettings, IndexedAddress, NodeDatapath } from "./datapath.ts";
import { INDEX_MAX, MARK_SHIFT_MAX } from "./mark.ts";

/** Where our maps and programs are pinned; the number is the version of bpf/sluice.h. */
export const ABI_DIRECTORY = "sluice-v1";

/** Types of maps as linux/bpf.h numbers them. */
export const MAP_TYPE = { hash: 1, percpuArray: 6, lpmTrie: 11 } as const;

/** BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG of linux/bpf.h: programs only read these maps. */
export const READ_ONLY_FLAGS = 0x81;

/** What makes a map ours: sizes in bytes. */
export interface DatapathMapLayout {
  /** In the object and of the pin; the kernel cuts it to 15 characters. */
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly flags: number;
}

/** A map whose entries follow from the datapath. */
export interface DatapathMap extends DatapathMapLayout {
  readonly encode: (datapath: NodeDatapath) => Entries;
}

const ADDRESS_BYTES = 16;
const V4_BYTES = 4;
const V4_MAPPED = "\0".repeat(10) + "\xff\xff";
const V4_MAPPED_BITS = 96;
/** The value of a map that is a set. */
const PRESENT = 1;

const HASH = { type: MAP_TYPE.hash, flags: READ_ONLY_FLAGS, valueSize: 4 } as const;

/**
 * In the order in which they are written: what an entry leads to stands in an earlier map, so that
 * no packet finds half of it. Deleting goes the other way.
 */
export const DATAPATH_MAPS = {
  nodes: {
    ...HASH,
    name: "sluice_nodes",
    keySize: V4_BYTES,
    encode: ({ nodes }) =>
      pack(nodes, { keySize: V4_BYTES, valueSize: 4 }, (node, key, value) => {
        setText(key, 0, node);
        setU32(value, 0, PRESENT);
      }),
  },
  cluster: {
    ...HASH,
    name: "sluice_cluster",
    type: MAP_TYPE.lpmTrie,
    keySize: 4 + ADDRESS_BYTES,
    encode: ({ clusterPrefixes }) =>
      pack(clusterPrefixes, { keySize: 4 + ADDRESS_BYTES, valueSize: 4 }, (prefix, key, value) => {
        setU32(key, 0, mappedLength(prefix));
        setText(key, 4, mapped(prefixAddress(prefix)));
        setU32(value, 0, PRESENT);
      }),
  },
  endpoints: {
    ...HASH,
    name: "sluice_endpoints",
    keySize: ADDRESS_BYTES,
    valueSize: 8,
    encode: ({ endpoints }) =>
      pack(endpoints, { keySize: ADDRESS_BYTES, valueSize: 8 }, (endpoint, key, value) => {
        setText(key, 0, mapped(endpoint.address));
        setText(value, 0, v4(endpoint.node));
        setU32(value, 4, endpoint.ifindex);
      }),
  },
  gatewayByIndex: {
    ...HASH,
    name: "sluice_gateway_by_index",
    keySize: 4,
    encode: ({ gateways }) =>
      pack(gateways, { keySize: 4, valueSize: V4_BYTES }, (gateway, key, value) => {
        setU32(key, 0, checkedIndex(gateway));
        setText(value, 0, v4(gateway.address));
      }),
  },
  gateways: {
    ...HASH,
    name: "sluice_gateways",
    keySize: V4_BYTES,
    encode: ({ gateways }) =>
      pack(gateways, { keySize: V4_BYTES, valueSize: 4 }, (gateway, key, value) => {
        setText(key, 0, v4(gateway.address));
        setU32(value, 0, checkedIndex(gateway));
      }),
  },
  egress: {
    ...HASH,
    name: "sluice_egress",
    keySize: ADDRESS_BYTES,
    encode: ({ egressIPs }) =>
      pack(egressIPs, { keySize: ADDRESS_BYTES, valueSize: 4 }, (egress, key, value) => {
        setText(key, 0, mapped(egress.address));
        setU32(value, 0, checkedIndex(egress));
      }),
  },
} as const satisfies Record<string, DatapathMap>;

/** u32 reason -> u64 packets, on each CPU: the programs write, we read. */
export const COUNTERS: DatapathMapLayout = {
  name: "sluice_counters",
  type: MAP_TYPE.percpuArray,
  keySize: 4,
  valueSize: 8,
  flags: 0,
};

/** The programs' reasons by their number. */
export const COUNTED_REASONS: readonly string[] = REASONS.filter(
  ({ counter }) => counter === "program",
).map(({ name }) => name);

/** The section of the programs' constants. */
export const SETTINGS_MAP = ".rodata.settings";

/** Those constants: struct sluice_settings. `self`: this node's internal IPv4 address. */
export function encodeSettings(self: Address, settings: DatapathSettings): Uint8Array {
  const bytes = new Uint8Array(12);
  assert(settings.markShift >= 0 && settings.markShift <= MARK_SHIFT_MAX, "a mark has 32 bits");
  setText(bytes, 0, v4(self));
  setU32(bytes, 4, settings.vni);
  setU32(bytes, 8, settings.markShift);
  return bytes;
}

/** What a dump of `gatewayByIndex` says, by index. */
export function decodeGateways({ keys, values, count }: Entries): IndexedAddress[] {
  const { keySize, valueSize } = DATAPATH_MAPS.gatewayByIndex;
  const found = Array.from({ length: count }, (_, i) => ({
    index: getU32(keys, i * keySize),
    address: getAddress(values, i * valueSize, V4_BYTES),
  }));
  return found.sort((a, b) => a.index - b.index);
}

/** What a dump of `egress` says, by index. */
export function decodeEgress({ keys, values, count }: Entries): IndexedAddress[] {
  const { keySize, valueSize } = DATAPATH_MAPS.egress;
  const found = Array.from({ length: count }, (_, i) => ({
    index: getU32(values, i * valueSize),
    address: unmapped(getAddress(keys, i * keySize, ADDRESS_BYTES)),
  }));
  return found.sort((a, b) => a.index - b.index);
}

type PutEntry<T> = (item: T, key: Uint8Array, value: Uint8Array) => void;

function pack<T>(
  items: readonly T[],
  { keySize, valueSize }: { keySize: number; valueSize: number },
  put: PutEntry<T>,
): Entries {
  const keys = new Uint8Array(items.length * keySize);
  const values = new Uint8Array(items.length * valueSize);
  for (const [i, item] of items.entries()) {
    const key = keys.subarray(i * keySize, (i + 1) * keySize);
    put(item, key, values.subarray(i * valueSize, (i + 1) * valueSize));
  }
  return { keys, values, count: items.length };
}

function checkedIndex({ index }: IndexedAddress): number {
  assert(index >= 1 && index <= INDEX_MAX, "an index that names something");
  return index;
}

function v4(address: Address): Address {
  assert(address.length === V4_BYTES, "nodes have IPv4 addresses");
  return address;
}

function mapped(address: Address): string {
  return address.length === V4_BYTES ? V4_MAPPED + address : address;
}

function unmapped(address: Address): Address {
  const isV4 = address.startsWith(V4_MAPPED);
  return isV4 ? (address.slice(V4_MAPPED.length) as Address) : address;
}

function mappedLength(prefix: Prefix): number {
  const isV4 = prefixAddress(prefix).length === V4_BYTES;
  return prefixLength(prefix) + (isV4 ? V4_MAPPED_BITS : 0);
}

/** The kernel's u32 are in the machine's byte order. */
function setU32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, LITTLE);
}

function getU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, LITTLE);
}

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function setText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

function getAddress(bytes: Uint8Array, at: number, size: number): Address {
  return String.fromCharCode(...bytes.subarray(at, at + size)) as Address;
}
