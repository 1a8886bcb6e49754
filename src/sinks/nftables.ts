// Our nftables table as a sink: one atomic transaction with what differs from what was written
// last. The first one, and the one after somebody else changed the table, starts from what the
// kernel has: sets by difference, all rules anew, counters going on.

import {
  canTransact,
  deleteTable,
  digestTable,
  readCounters,
  readTable,
  runTransaction,
} from "../drivers/kernel/nft.ts";
import type { Address } from "../net/address.ts";
import type { NftTable } from "../net/nft-table.ts";
import type { DatapathSettings, NodeDatapath } from "../reconcile/datapath.ts";
import { buildRuleset, TIMEOUTS_ALONE } from "../reconcile/ruleset.ts";
import { renderChange } from "../reconcile/ruleset-diff.ts";

export interface RulesetHow {
  readonly prune: boolean;
  /** Of the tunnel device, in bytes. */
  readonly tunnelMtu: number;
  /** Addresses that change hands: none of their flows begins (rule 8.10). */
  readonly passing?: readonly Address[];
}

/** One call at a time, verify and counters excepted. All throw nothing but OperationError. */
export interface Nftables {
  /**
   * Makes the table what is desired. Without `prune` no element of a set or map goes: sources are
   * not synced, so what nobody mentioned may still be wanted. `changed`: the table was not so.
   */
  apply(desired: NodeDatapath, how: RulesetHow): Promise<{ readonly changed: boolean }>;
  /** False: the table is not as the last apply left it; the next one starts from what is there. */
  verify(): Promise<boolean>;
  /** Reason (plan/reason.ts) -> packets; empty without a table. */
  counters(): Promise<Map<string, number>>;
}

export function openNftables(settings: DatapathSettings): Nftables {
  return new NftablesSink(settings);
}

/** Removes the table with all that is in it; false: there was none. */
export function removeNftables({ nftTable }: DatapathSettings): Promise<boolean> {
  return deleteTable(nftTable);
}

function hasTimeouts(name: string): Promise<boolean> {
  const table = `${name}_trial`;
  return canTransact(renderChange({ table, from: undefined, to: TIMEOUTS_ALONE }), table);
}

class NftablesSink implements Nftables {
  readonly #settings: DatapathSettings;
  /** What is there as we wrote it; undefined: look. */
  #written: NftTable | undefined;
  /** Of the table after our last transaction. */
  #digest: string | undefined;
  /** Whether the kernel has time-outs; undefined: it was not asked. */
  #hasTimeouts: boolean | undefined;

  constructor(settings: DatapathSettings) {
    this.#settings = settings;
  }

  async apply(
    desired: NodeDatapath,
    { prune, tunnelMtu, passing = [] }: RulesetHow,
  ): Promise<{ changed: boolean }> {
    const { nftTable: table } = this.#settings;
    const known = this.#written;
    const before = known === undefined ? await digestTable(table) : this.#digest;
    const from = known ?? (await readTable(table));
    this.#hasTimeouts ??= await hasTimeouts(table);
    const to = buildRuleset({
      settings: this.#settings,
      desired,
      passing,
      tunnelMtu,
      hasTimeouts: this.#hasTimeouts,
      retained: prune ? undefined : from,
    });
    const text = renderChange({ table, from, to });
    if (text === "") return { changed: false };
    // Whatever happens now, we know again only when it is done.
    this.#written = undefined;
    await runTransaction(text, table);
    const after = await digestTable(table);
    this.#digest = after;
    this.#written = to;
    return { changed: after !== before };
  }

  async verify(): Promise<boolean> {
    const expected = this.#digest;
    if (this.#written === undefined) return false;
    if ((await digestTable(this.#settings.nftTable)) === expected) return true;
    // An apply may have come between.
    if (this.#digest === expected) this.#written = undefined;
    return false;
  }

  async counters(): Promise<Map<string, number>> {
    return new Map(await readCounters(this.#settings.nftTable));
  }
}
