// The 14 bits of a packet's mark that are ours: a class and an index. The same bits in a
// connection's mark say what was decided when it began. bpf/sluice.h says the same in C.
//
//   13  12 11           0      0x3fff, the bits that kube-proxy and Calico leave free, shifted
//  +------+--------------+     left by `markShift`; all other bits belong to others.
//  | class|    index     |
//  +------+--------------+

import { assert } from "../lib/assert.ts";

/** What a marked packet is, on the node that marked it. */
export const MARK_CLASS = {
  /** Leaves this node through the tunnel; the index names the gateway. */
  tunnel: 1,
  /** Came through the tunnel to be translated here; the index names the egress IP. */
  gateway: 2,
  /** From a pod of this node, translated here; the index names the egress IP. */
  local: 3,
} as const;
export type MarkClass = keyof typeof MARK_CLASS;

export const INDEX_BITS = 12;
/** Indexes 1 to this one name gateways and egress IPs; those above it mean what stands below. */
export const INDEX_MAX = 0xff0;
/** A proposal to drop new flows: no gateway (tunnel), no row (gateway). */
export const INDEX_NONE = 0;
/** A proposal to drop new flows: the row has no egress IP (gateway and local). */
export const INDEX_NO_EGRESS_IP = 0xffe;
/** A proposal to drop new flows: the row's gateway is not known here yet (tunnel). */
export const INDEX_UNKNOWN_GATEWAY = 0xffd;
/** Class tunnel only: an answer that came through the tunnel to a pod of this node. */
export const INDEX_REPLY = 0xfff;

/** The bits of the class alone, and all of ours, before they are shifted. */
export const CLASS_MASK = 0x3 << INDEX_BITS;
export const MARK_MASK = 0x3fff;

/** The largest shift that keeps our bits within 32. */
export const MARK_SHIFT_MAX = 18;

/** The mark of a class and an index; other bits are zero. */
export function encodeMark(kind: MarkClass, index: number, shift: number): number {
  assert(index >= 0 && index < 1 << INDEX_BITS, "an index has 12 bits");
  return shiftMark((MARK_CLASS[kind] << INDEX_BITS) | index, shift);
}

/** `bits` where the settings want them, as an unsigned number. */
export function shiftMark(bits: number, shift: number): number {
  assert(shift >= 0 && shift <= MARK_SHIFT_MAX, "our bits lie within the mark");
  return (bits << shift) >>> 0;
}
