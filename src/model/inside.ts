// Keeps what is inside the cluster up to date, at the price of what changed: an endpoint whose
// addresses a podCIDR covers costs one look-up. Nothing is computed before somebody asks.

import { sameList } from "../lib/equal.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Change } from "./change.ts";
import type { ClusterPrefixes, FixedPrefixes, PrefixFacts } from "./cluster-prefixes.ts";
import {
  coversAddress,
  coversPrefix,
  fixedPrefixes,
  sameFixed,
  withStrays,
} from "./cluster-prefixes.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";

export interface InsideFacts extends PrefixFacts {
  /** Every endpoint; read only when a prefix went. */
  readonly endpoints: () => Iterable<Endpoint>;
}

export class Inside {
  readonly #facts: () => InsideFacts;
  #extra: readonly Prefix[] = [];
  /** Undefined: nobody asked yet. */
  #fixed: FixedPrefixes | undefined;
  #stale = false;
  /** Addresses of endpoints that `#fixed.pods` does not cover. */
  readonly #strays = new Map<EndpointKey, readonly Address[]>();
  /** Undefined: something changed. */
  #result: ClusterPrefixes | undefined;

  constructor(facts: () => InsideFacts) {
    this.#facts = facts;
  }

  /** Nodes, services, ServiceCIDRs or IPPools have changed. */
  noteObjects(): void {
    this.#stale = true;
  }

  noteEndpoints(changes: readonly Change<EndpointKey, Endpoint>[]): void {
    const { pods } = this.#fixed ?? {};
    if (pods === undefined) return;
    for (const { key, value } of changes) this.#noteEndpoint(key, value?.addresses ?? [], pods);
  }

  prefixes(extra: readonly Prefix[]): ClusterPrefixes {
    let fixed = this.#fixed;
    if (fixed === undefined || this.#stale || !sameList(this.#extra, extra)) {
      fixed = this.#renew(extra);
    }
    this.#result ??= withStrays(fixed, [...this.#strays.values()].flat());
    return this.#result;
  }

  #renew(extra: readonly Prefix[]): FixedPrefixes {
    const facts = this.#facts();
    const old = this.#fixed;
    const next = fixedPrefixes(facts, extra);
    this.#extra = extra;
    this.#stale = false;
    if (old !== undefined && sameFixed(old, next)) return old;
    this.#fixed = next;
    this.#result = undefined;
    if (old?.pods.every((prefix) => coversPrefix(next.pods, prefix)) === true) {
      // Whoever was inside still is: only those outside are looked at.
      for (const [key, addresses] of this.#strays) this.#noteEndpoint(key, addresses, next.pods);
      return next;
    }
    this.#strays.clear();
    for (const { key, addresses } of facts.endpoints()) {
      this.#noteEndpoint(key, addresses, next.pods);
    }
    return next;
  }

  #noteEndpoint(key: EndpointKey, addresses: readonly Address[], pods: readonly Prefix[]): void {
    const old = this.#strays.get(key) ?? NO_ADDRESSES;
    const strays = addresses.filter((address) => !coversAddress(pods, address));
    if (sameList(old, strays)) return;
    if (strays.length === 0) this.#strays.delete(key);
    else this.#strays.set(key, strays);
    this.#result = undefined;
  }
}

const NO_ADDRESSES: readonly Address[] = Object.freeze([]);
