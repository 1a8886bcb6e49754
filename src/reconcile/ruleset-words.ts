// The words that our nftables chains are made of: marks at their place, and what a chain is.

import type { NftChain, NftHook } from "../net/nft-table.ts";
import type { DatapathSettings } from "./datapath.ts";
import type { MarkClass } from "./mark.ts";
import { CLASS_MASK, encodeMark, INDEX_BITS, MARK_MASK, shiftMark } from "./mark.ts";

export type NamedChain = readonly [name: string, chain: NftChain];

/** Our bits as nft writes them. */
export class Marks {
  readonly #shift: number;
  /** All bits but ours. */
  readonly others: string;
  readonly #class: string;
  readonly #all: string;
  readonly index: string;

  constructor({ markShift }: DatapathSettings) {
    this.#shift = markShift;
    this.#class = hex(shiftMark(CLASS_MASK, markShift));
    this.#all = hex(shiftMark(MARK_MASK, markShift));
    this.index = hex(shiftMark((1 << INDEX_BITS) - 1, markShift));
    this.others = hex(~shiftMark(MARK_MASK, markShift) >>> 0);
  }

  /** `what`'s class is one of `kinds`. */
  isClass(what: "meta" | "ct", kind: MarkClass): string {
    return `${what} mark & ${this.#class} == ${this.value(kind, 0)}`;
  }

  isNone(what: "meta" | "ct"): string {
    return `${what} mark & ${this.#class} == 0`;
  }

  isAny(what: "meta" | "ct"): string {
    return `${what} mark & ${this.#class} != 0`;
  }

  /** Our bits of `what`, for a comparison or a map. */
  bits(what: "meta" | "ct"): string {
    return `${what} mark & ${this.#all}`;
  }

  value(kind: MarkClass, index: number): string {
    return hex(encodeMark(kind, index, this.#shift));
  }
}

/** A new flow waits unless its device and source are those of a classified pod (rule 8.7). */
export function hold(ip: "ip" | "ip6"): string {
  return `iifname . ${ip} saddr != @classified${ip === "ip" ? 4 : 6} goto drop_Unclassified`;
}

/** A new flow waits while its source changes hands. */
export function pass(ip: "ip" | "ip6"): string {
  return `${ip} saddr @passing${ip === "ip" ? 4 : 6} goto drop_ChangingHands`;
}

/** A chain that other chains lead to. */
export function called(rules: readonly string[]): NftChain {
  return { hook: undefined, rules };
}

/** A chain that the kernel calls. */
export function base(name: string, hook: NftHook, rules: readonly string[]): NamedChain {
  return [name, { hook, rules }];
}

/** As nft reads numbers. */
export function hex(bits: number): string {
  return `0x${bits.toString(16)}`;
}
