// The policy maps' layouts, Cilium's (rule 7.5), and rows as their bytes and back. Entries stand
// packed, key after key and value after value, as the kernel's batch commands want them.

import { assert } from "../lib/assert.ts";
import type { Address, Family } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { bitsOf, prefixLength, prefixOf } from "../net/prefix.ts";
import type { Row } from "./row.ts";

export interface MapLayout {
  /** The map's name, which is also that of its pin. */
  readonly name: string;
  readonly family: Family;
  /** u32 prefixlen (bits of the source + length) · source · destination. */
  readonly keySize: number;
  /** egress IP · be32 gateway IP, then in newer layouts u32 reserved[3] · u32 ifindex · u32. */
  readonly valueSize: number;
  /** Where the ifindex stands in the value; undefined: the layout has none. */
  readonly ifindexAt: number | undefined;
}

/** Cilium 1.20 writes all three; its datapath asks `v4_v2` before `v4`. */
export const MAP_LAYOUTS = {
  v4: {
    name: "cilium_egress_gw_policy_v4",
    family: "IPv4",
    keySize: 12,
    valueSize: 8,
    ifindexAt: undefined,
  },
  v4_v2: {
    name: "cilium_egress_gw_policy_v4_v2",
    family: "IPv4",
    keySize: 12,
    valueSize: 28,
    ifindexAt: 20,
  },
  v6: {
    name: "cilium_egress_gw_policy_v6",
    family: "IPv6",
    keySize: 36,
    valueSize: 40,
    ifindexAt: 32,
  },
} as const satisfies Record<string, MapLayout>;

/** Packed entries: `count` keys and as many values, each of the layout's size. */
export interface Entries {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
}

/** An entry of a map, whoever wrote it. */
export interface MapRow {
  /** An address with its full length, unless a stranger wrote it. */
  readonly source: Prefix;
  readonly destination: Prefix;
  readonly egressIP: Address;
  readonly gatewayIP: Address;
  /** 0: none; null: the layout has none. */
  readonly ifindex: number | null;
}

const PREFIXLEN_BYTES = 4;
const GATEWAY_BYTES = 4;
const ROOM_MIN = 1024;
/** The kernel's u32 are in the machine's byte order. */
const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * The rows of the layout's family, in the order given; sorted rows make the fastest writes. Rows
 * are those of this node, so an egress IP that is unknown (null) is a programmer error.
 */
export function encodeRows(layout: MapLayout, rows: Iterable<Row>): Entries {
  const { family, keySize, valueSize } = layout;
  let keys = new Uint8Array(ROOM_MIN * keySize);
  let values = new Uint8Array(ROOM_MIN * valueSize);
  let count = 0;
  for (const row of rows) {
    if (familyOf(row.source) !== family) continue;
    if ((count + 1) * keySize > keys.length) {
      keys = enlarged(keys);
      values = enlarged(values);
    }
    encodeKey(layout, row, keys, count * keySize);
    encodeValue(layout, row, values, count * valueSize);
    count++;
  }
  const used = { keys: keys.subarray(0, count * keySize) };
  return { ...used, values: values.subarray(0, count * valueSize), count };
}

function enlarged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

function encodeKey(
  { family }: MapLayout,
  { source, destination }: Row,
  keys: Uint8Array,
  at: number,
): void {
  assert(destination.length === source.length + 1, "a row's source and destination agree");
  setU32(keys, at, bitsOf(family) + prefixLength(destination));
  setBytes(keys, at + PREFIXLEN_BYTES, source, source.length);
  setBytes(keys, at + PREFIXLEN_BYTES + source.length, destination, source.length);
}

function encodeValue(
  { ifindexAt }: MapLayout,
  { source, egressIP, gatewayIP, ifindex }: Row,
  values: Uint8Array,
  at: number,
): void {
  assert(egressIP !== null && ifindex !== null, "a node's own rows have a known egress IP");
  assert(egressIP.length === source.length, "an egress IP is of the source's family");
  setBytes(values, at, egressIP, egressIP.length);
  setBytes(values, at + egressIP.length, gatewayIP, GATEWAY_BYTES);
  if (ifindexAt !== undefined) setU32(values, at + ifindexAt, ifindex);
}

/** What the entries say, in their order, one by one. */
export function* decodeRows(layout: MapLayout, entries: Entries): Generator<MapRow> {
  const { family, keySize, valueSize, ifindexAt } = layout;
  const bits = bitsOf(family);
  const bytes = bits / 8;
  for (let i = 0; i < entries.count; i++) {
    const key = i * keySize;
    const value = i * valueSize;
    const length = getU32(entries.keys, key);
    const source = getBytes(entries.keys, key + PREFIXLEN_BYTES, bytes);
    const destination = getBytes(entries.keys, key + PREFIXLEN_BYTES + bytes, bytes);
    yield {
      source: prefixOf(source, Math.min(length, bits)),
      destination: prefixOf(destination, Math.max(length - bits, 0)),
      egressIP: getBytes(entries.values, value, bytes),
      gatewayIP: getBytes(entries.values, value + bytes, GATEWAY_BYTES),
      ifindex: ifindexAt === undefined ? null : getU32(entries.values, value + ifindexAt),
    };
  }
}

/**
 * Clears the bits behind each key's length. The kernel ignores them but keeps what was written, and
 * only masked keys can be compared.
 */
export function maskKeys({ keySize }: MapLayout, { keys, count }: Entries): void {
  for (let i = 0; i < count; i++) {
    const at = i * keySize + PREFIXLEN_BYTES;
    const length = getU32(keys, i * keySize);
    const whole = length >>> 3;
    if (whole >= keySize - PREFIXLEN_BYTES) continue;
    keys[at + whole] = (keys[at + whole] as number) & (0xff00 >>> (length & 7));
    keys.fill(0, at + whole + 1, (i + 1) * keySize);
  }
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + (LITTLE ? i : 3 - i)] = value >>> (8 * i);
}

function getU32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (bytes[at + (LITTLE ? i : 3 - i)] as number) << (8 * i);
  return value >>> 0;
}

/** The first `count` characters of `text`, each of which is one byte. */
function setBytes(bytes: Uint8Array, at: number, text: string, count: number): void {
  for (let i = 0; i < count; i++) bytes[at + i] = text.charCodeAt(i);
}

function getBytes(bytes: Uint8Array, at: number, count: number): Address {
  return String.fromCharCode(...bytes.subarray(at, at + count)) as Address;
}
