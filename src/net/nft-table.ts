// An nftables table as values: what we want, and what a driver found.

/** Where the kernel calls a base chain. */
export interface NftHook {
  /** `route`: of output, where a changed mark has the packet routed again. */
  readonly type: "filter" | "nat" | "route";
  readonly hook: string;
  readonly priority: number;
}

export interface NftChain {
  /** Undefined: called by other chains only. */
  readonly hook: NftHook | undefined;
  /** In nft's language; undefined: found, so not comparable with what we would write. */
  readonly rules: readonly string[] | undefined;
}

/** A set, or with `valueType` a map. */
export interface NftSet {
  /** As in `ifname . ipv4_addr`. */
  readonly keyType: string;
  readonly valueType: string | undefined;
  /** Keys may be prefixes, of which none lies within another. */
  readonly interval: boolean;
  /**
   * Most elements; undefined: no limit. With it the kernel keeps keys of four bytes in a hash table
   * that is made for them, and a look-up takes half the time (nft_set_hash.c, nft_hash_fast_ops).
   */
  readonly elementsMax?: number;
  /** Key -> value, both as nft reads them; the value is empty in a set. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface NftTable {
  /** Name -> packets. */
  readonly counters: ReadonlyMap<string, number>;
  /**
   * Name -> how long connection tracking remembers TCP in some states, as in `close : 0`;
   * undefined: found, so not comparable with what we would write.
   */
  readonly timeouts: ReadonlyMap<string, string | undefined>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly chains: ReadonlyMap<string, NftChain>;
}
