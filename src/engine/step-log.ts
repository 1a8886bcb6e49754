// What one step changed, as compact moves; row changes are derived from it only when asked for,
// since one endpoint at the front of a round-robin policy moves thousands of rows.

import type { Address } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import type { RowChange, RowKey, RowValue } from "../plan/row.ts";
import { sameRowValue } from "../plan/row.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { GatewayValue, PolicyState } from "./policy-state.ts";
import type { PolicySet, Won } from "./precedence.ts";

/** What an endpoint's rows follow from. */
export interface RowFacts {
  readonly addresses: readonly Address[];
  readonly set: PolicySet;
  /** Gateway ids, by index in the set. */
  readonly ids: readonly number[];
  /** By index in the set; undefined: this node holds no such rows. */
  readonly values: readonly (GatewayValue | undefined)[];
}

export class StepLog {
  readonly #table: EndpointTable;
  readonly #factsOf: (slot: number) => RowFacts;
  /** Endpoints that were looked at again, and what they were before. */
  readonly #rebuilt: number[] = [];
  readonly #before: (RowFacts | undefined)[] = [];
  /** Endpoints that only got another gateway in one policy: one element of each per move. */
  readonly #moved: number[] = [];
  readonly #movedPolicy: PolicyState[] = [];
  readonly #movedFrom: (GatewayValue | undefined)[] = [];
  readonly #movedTo: (GatewayValue | undefined)[] = [];
  /** Endpoints touched. */
  endpoints = 0;
  /** Pairs of endpoint and policy whose gateway changed. */
  moves = 0;

  constructor(table: EndpointTable, factsOf: (slot: number) => RowFacts) {
    this.#table = table;
    this.#factsOf = factsOf;
  }

  rebuild(slot: number, before: RowFacts | undefined): void {
    this.#rebuilt.push(slot);
    this.#before.push(before);
  }

  move(
    slot: number,
    policy: PolicyState,
    values: { before: GatewayValue | undefined; after: GatewayValue | undefined },
  ): void {
    this.#moved.push(slot);
    this.#movedPolicy.push(policy);
    this.#movedFrom.push(values.before);
    this.#movedTo.push(values.after);
  }

  /** The real differences, in no particular order; valid until the engine's next step. */
  *changes(): Generator<RowChange> {
    const handed = this.#handedOver();
    for (let i = 0; i < this.#rebuilt.length; i++) {
      const slot = this.#rebuilt[i] as number;
      const after = this.#table.peek(slot) === undefined ? undefined : this.#factsOf(slot);
      const old = factRows(this.#before[i], (address) => !this.#passedOn(address, slot));
      if (handed.size > 0) {
        for (const address of after?.addresses ?? []) {
          old.push(...factRows(handed.get(address), (other) => other === address));
        }
      }
      for (const change of rebuiltChanges(old, factRows(after))) yield change;
    }
    for (let i = 0; i < this.#moved.length; i++) {
      const slot = this.#moved[i] as number;
      const before = this.#movedFrom[i];
      const after = this.#movedTo[i];
      const set = this.#table.policiesOf(slot);
      const index = set.policies.indexOf(this.#movedPolicy[i] as PolicyState);
      for (const source of this.#table.held(slot)) {
        for (const won of set.won(familyOf(source))) {
          if (won.index !== index) continue;
          const value = rowValue(source, won, after);
          if (sameRow(rowValue(source, won, before), value)) continue;
          yield { key: { source, destination: won.prefix }, value };
        }
      }
    }
  }

  /** Addresses that passed to another endpoint, with what their rows followed from before. */
  #handedOver(): Map<Address, RowFacts> {
    const handed = new Map<Address, RowFacts>();
    for (let i = 0; i < this.#rebuilt.length; i++) {
      const before = this.#before[i];
      if (before === undefined) continue;
      for (const address of before.addresses) {
        if (this.#passedOn(address, this.#rebuilt[i] as number)) handed.set(address, before);
      }
    }
    return handed;
  }

  /** True if another endpoint than the one in `slot` holds the address now. */
  #passedOn(address: Address, slot: number): boolean {
    const holder = this.#table.holder(address);
    return holder !== undefined && holder !== slot;
  }
}

function rebuiltChanges(before: readonly RowChange[], after: RowChange[]): RowChange[] {
  if (before.length === 0) return after;
  const old = new Map(before.map((row) => [keyText(row.key), row]));
  const changes: RowChange[] = [];
  for (const row of after) {
    const text = keyText(row.key);
    if (!sameRow(old.get(text)?.value, row.value)) changes.push(row);
    old.delete(text);
  }
  for (const { key } of old.values()) changes.push({ key, value: undefined });
  return changes;
}

/** An endpoint's rows here: by address, then by prefix. */
function factRows(
  facts: RowFacts | undefined,
  wanted?: (address: Address) => boolean,
): RowChange[] {
  const rows: RowChange[] = [];
  if (facts === undefined) return rows;
  for (const source of facts.addresses) {
    if (wanted !== undefined && !wanted(source)) continue;
    for (const won of facts.set.won(familyOf(source))) {
      const value = rowValue(source, won, facts.values[won.index]);
      if (value !== undefined) rows.push({ key: { source, destination: won.prefix }, value });
    }
  }
  return rows;
}

/** What the row of an address and a won prefix says, given its gateway's value. */
export function rowValue(
  source: Address,
  won: Won,
  value: GatewayValue | undefined,
): RowValue | undefined {
  const ofFamily = value?.[familyOf(source)];
  return won.excluded ? ofFamily?.excluded : ofFamily?.row;
}

function sameRow(a: RowValue | undefined, b: RowValue | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameRowValue(a, b));
}

function keyText({ source, destination }: RowKey): string {
  return source + destination;
}
