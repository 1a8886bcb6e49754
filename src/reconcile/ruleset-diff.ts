// Two states of our nftables table and the transaction that leads from one to the other, in nft's
// language. A transaction is atomic: there is no moment without guards. Counters go on counting.

import type { NftChain, NftSet, NftTable } from "../net/nft-table.ts";
import { sameKind } from "./ruleset.ts";

export interface RulesetChange {
  /** Of the table, of the family inet. */
  readonly table: string;
  /** What is there; undefined: no such table. Chains without rules are written anew. */
  readonly from: NftTable | undefined;
  readonly to: NftTable;
}

/** Empty when there is nothing to do. */
export function renderChange({ table, from, to }: RulesetChange): string {
  const name = `inet ${table}`;
  if (from === undefined) return whole(name, EMPTY, to);
  if (fits(from, to)) return changes(name, from, to);
  // What a set or a hook is cannot be changed in place.
  return `delete table ${name}\n${whole(name, from, to)}`;
}

const EMPTY: NftTable = {
  counters: new Map(),
  timeouts: new Map(),
  sets: new Map(),
  chains: new Map(),
};

/** The table from nothing, with the counts that `from` has. */
function whole(table: string, { counters }: NftTable, to: NftTable): string {
  return `add table ${table}\n${changes(table, EMPTY, to, counters)}`;
}

/** Whether everything of one name is the same thing in both. */
function fits(from: NftTable, to: NftTable): boolean {
  for (const [name, set] of to.sets) {
    const found = from.sets.get(name);
    if (found !== undefined && !sameKind(found, set)) return false;
  }
  for (const [name, chain] of to.chains) {
    const found = from.chains.get(name);
    if (found !== undefined && !sameHook(found, chain)) return false;
  }
  return true;
}

function sameHook({ hook: a }: NftChain, { hook: b }: NftChain): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.type === b.type && a.hook === b.hook && a.priority === b.priority;
}

/** First what others refer to, last what nobody refers to any more. */
function changes(
  table: string,
  from: NftTable,
  to: NftTable,
  counts: ReadonlyMap<string, number> = to.counters,
): string {
  const lines: string[] = [];
  for (const name of to.counters.keys()) {
    if (from.counters.has(name)) continue;
    const packets = counts.get(name) ?? 0;
    lines.push(`add counter ${table} ${name} { packets ${packets} bytes 0 ; }`);
  }
  for (const [name, policy] of to.timeouts) {
    const body = `protocol tcp ; l3proto ip ; policy = { ${policy} } ;`;
    if (!from.timeouts.has(name)) lines.push(`add ct timeout ${table} ${name} { ${body} }`);
  }
  for (const [name, set] of to.sets) {
    if (!from.sets.has(name)) lines.push(declareSet(table, name, set));
  }
  for (const [name, chain] of to.chains) {
    if (!from.chains.has(name)) lines.push(declareChain(table, name, chain));
  }
  for (const [name, chain] of to.chains) {
    lines.push(...ruleChanges(`${table} ${name}`, from.chains.get(name), chain));
  }
  for (const [name, set] of to.sets) {
    lines.push(...elementChanges(`${table} ${name}`, from.sets.get(name), set));
  }
  lines.push(...removals(table, from, to));
  return lines.map((line) => `${line}\n`).join("");
}

function declareSet(table: string, name: string, set: NftSet): string {
  const flags = set.interval ? " flags interval ;" : "";
  const [kind, value] = set.valueType === undefined ? ["set", ""] : ["map", ` : ${set.valueType}`];
  const size = set.elementsMax === undefined ? "" : ` size ${set.elementsMax} ;`;
  return `add ${kind} ${table} ${name} { type ${set.keyType}${value} ;${flags}${size} }`;
}

function declareChain(table: string, name: string, { hook }: NftChain): string {
  if (hook === undefined) return `add chain ${table} ${name}`;
  const place = `type ${hook.type} hook ${hook.hook} priority ${hook.priority} ; policy accept ;`;
  return `add chain ${table} ${name} { ${place} }`;
}

function ruleChanges(chain: string, from: NftChain | undefined, to: NftChain): string[] {
  const rules = to.rules ?? [];
  const same = from?.rules !== undefined && from.rules.join("\n") === rules.join("\n");
  if (same) return [];
  const flush = from === undefined ? [] : [`flush chain ${chain}`];
  return [...flush, ...rules.map((rule) => `add rule ${chain} ${rule}`)];
}

function elementChanges(set: string, from: NftSet | undefined, to: NftSet): string[] {
  const gone: string[] = [];
  const come: string[] = [];
  for (const [key, value] of from?.elements ?? []) {
    if (to.elements.get(key) !== value) gone.push(element(key, value));
  }
  for (const [key, value] of to.elements) {
    if (from?.elements.get(key) !== value) come.push(element(key, value));
  }
  if (gone.length > 0 && to.interval) {
    // New intervals may overlap old ones: nft looks at all of them, so all are written.
    const all = [...to.elements.keys()];
    return [`flush set ${set}`, ...listed("add", set, all)];
  }
  return [...listed("delete", set, gone), ...listed("add", set, come)];
}

function element(key: string, value: string): string {
  return value === "" ? key : `${key} : ${value}`;
}

function listed(verb: "add" | "delete", set: string, elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`${verb} element ${set} { ${elements.join(", ")} }`];
}

function removals(table: string, from: NftTable, to: NftTable): string[] {
  const chains = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  const sets = [...from.sets.keys()].filter((name) => !to.sets.has(name));
  const timeouts = [...from.timeouts.keys()].filter((name) => !to.timeouts.has(name));
  const counters = [...from.counters.keys()].filter((name) => !to.counters.has(name));
  return [
    // They may lead to each other, and maps to them.
    ...chains.map((name) => `flush chain ${table} ${name}`),
    ...sets.map((name) => `delete set ${table} ${name}`),
    ...chains.map((name) => `delete chain ${table} ${name}`),
    ...timeouts.map((name) => `delete ct timeout ${table} ${name}`),
    ...counters.map((name) => `delete counter ${table} ${name}`),
  ];
}
