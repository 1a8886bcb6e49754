// Which rows a set of policies gives to one endpoint: for identical prefixes the older policy wins,
// in one policy an exclusion beats a destination (rule 7.3). Longer prefixes are the trie's work.

import type { Family } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { comparePrefixes, prefixFamily } from "../net/prefix.ts";
import { comparePrecedence, type PolicyState } from "./policy-state.ts";

/** One row of every endpoint of a policy set, but for source and gateway. */
export interface Won {
  readonly prefix: Prefix;
  /** The winner's index in the set. */
  readonly index: number;
  readonly excluded: boolean;
}

/** A prefix that two policies of a set share. */
export interface Lost {
  readonly prefix: Prefix;
  readonly winner: PolicyState;
  readonly loser: PolicyState;
}

/** The policies of some endpoints; interned, so that equal sets are one object. */
export class PolicySet {
  /** Sorted by number. */
  readonly policies: readonly PolicyState[];
  #won: Record<Family, readonly Won[]> | undefined;

  constructor(policies: readonly PolicyState[]) {
    this.policies = policies;
  }

  /** The rows of one family, sorted by prefix. Computed once. */
  won(family: Family): readonly Won[] {
    this.#won ??= { IPv4: this.#decide("IPv4"), IPv6: this.#decide("IPv6") };
    return this.#won[family];
  }

  /** What the losers of identical prefixes lose, in no order; for conditions. */
  *lost(family: Family): Iterable<Lost> {
    const winners = new Map<Prefix, PolicyState>();
    for (const { state } of this.#byPrecedence()) {
      for (const { prefix } of prefixesOf(state, family)) {
        const winner = winners.get(prefix);
        if (winner === undefined) winners.set(prefix, state);
        else if (winner !== state) yield { prefix, winner, loser: state };
      }
    }
  }

  #decide(family: Family): readonly Won[] {
    const winners = new Map<Prefix, Won>();
    for (const { state, index } of this.#byPrecedence()) {
      for (const { prefix, excluded } of prefixesOf(state, family)) {
        if (!winners.has(prefix)) winners.set(prefix, { prefix, index, excluded });
      }
    }
    return [...winners.values()].sort((a, b) => comparePrefixes(a.prefix, b.prefix));
  }

  #byPrecedence(): { state: PolicyState; index: number }[] {
    return this.policies
      .map((state, index) => ({ state, index }))
      .sort((a, b) => comparePrecedence(a.state.policy, b.state.policy));
  }
}

/** Exclusions first: they beat destinations of the same prefix. */
function prefixesOf(state: PolicyState, family: Family): { prefix: Prefix; excluded: boolean }[] {
  const { exclusions, destinations } = state.policy;
  return [
    ...exclusions.map((prefix) => ({ prefix, excluded: true })),
    ...destinations.map((prefix) => ({ prefix, excluded: false })),
  ].filter(({ prefix }) => prefixFamily(prefix) === family);
}

export const NO_POLICIES = new PolicySet([]);
