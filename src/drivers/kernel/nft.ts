// nftables through nft: one table of the family inet, read as JSON, written as a transaction in
// nft's own language. nft 1.0.6 and newer.

import { createHash } from "node:crypto";
import { OperationError } from "../../lib/operation-error.ts";
import { parseAddress, renderAddress } from "../../net/address.ts";
import type { NftChain, NftSet, NftTable } from "../../net/nft-table.ts";
import { runCommand } from "./command.ts";

/** Carries out a transaction: all of it, or an OperationError and nothing. */
export async function runTransaction(text: string, table: string): Promise<void> {
  await runCommand("nft", ["-f", "-"], { input: text, target: `nftables table ${table}` });
}

/** Whether the kernel would carry out a transaction; nothing is changed. */
export async function canTransact(text: string, table: string): Promise<boolean> {
  try {
    await runCommand("nft", ["--check", "-f", "-"], { input: text, target: table });
    return true;
  } catch (error) {
    if (error instanceof OperationError && error.code === "ToolFailed") return false;
    throw error;
  }
}

/** What the table holds; undefined: there is none. */
export async function readTable(table: string): Promise<NftTable | undefined> {
  const text = await list(["-j", "list", "table", "inet", table], table);
  return text === undefined ? undefined : parseTable(text);
}

/** The counters alone; undefined: no such table. */
export async function readCounters(
  table: string,
): Promise<ReadonlyMap<string, number> | undefined> {
  const text = await list(["-j", "list", "counters", "table", "inet", table], table);
  return text === undefined ? undefined : parseTable(text).counters;
}

/** A digest of all that is in the table but counts; undefined: no such table. */
export async function digestTable(table: string): Promise<string | undefined> {
  const text = await list(["-s", "list", "table", "inet", table], table);
  return text === undefined ? undefined : createHash("sha256").update(text).digest("hex");
}

/** Removes the table; false: there was none. */
export async function deleteTable(table: string): Promise<boolean> {
  const there = (await digestTable(table)) !== undefined;
  // Adding what is there does nothing; deleting what is not there is an error.
  await runTransaction(`add table inet ${table}\ndelete table inet ${table}\n`, table);
  return there;
}

async function list(args: readonly string[], table: string): Promise<string | undefined> {
  try {
    return await runCommand("nft", args, { target: `nftables table ${table}` });
  } catch (error) {
    if (error instanceof OperationError && error.message.includes("No such file")) return undefined;
    throw error;
  }
}

interface ListedObject {
  readonly name?: string;
  readonly packets?: number;
  readonly type?: string | readonly string[];
  readonly map?: string | readonly string[];
  readonly flags?: readonly string[];
  readonly elem?: readonly unknown[];
  readonly hook?: string;
  readonly prio?: number;
}

/** Reads what `nft -j list` prints of one table. */
export function parseTable(text: string): NftTable {
  const { nftables } = JSON.parse(text) as { nftables: readonly Record<string, ListedObject>[] };
  const counters = new Map<string, number>();
  const timeouts = new Map<string, undefined>();
  const sets = new Map<string, NftSet>();
  const chains = new Map<string, NftChain>();
  for (const entry of nftables) {
    for (const [kind, object] of Object.entries(entry)) {
      const name = object.name ?? "";
      if (kind === "counter") counters.set(name, object.packets ?? 0);
      else if (kind === "ct timeout") timeouts.set(name, undefined);
      else if (kind === "set" || kind === "map") sets.set(name, parseSet(object));
      else if (kind === "chain") chains.set(name, parseChain(object));
    }
  }
  return { counters, timeouts, sets, chains };
}

function parseChain({ type, hook, prio }: ListedObject): NftChain {
  if (hook === undefined) return { hook: undefined, rules: undefined };
  const known = type === "nat" || type === "route" ? type : "filter";
  return { hook: { type: known, hook, priority: prio ?? 0 }, rules: undefined };
}

function parseSet({ type, map, flags, elem }: ListedObject): NftSet {
  const elements = new Map<string, string>();
  for (const one of elem ?? []) {
    // Of a map: key and value.
    const [key, value] = map !== undefined && Array.isArray(one) ? (one as unknown[]) : [one, ""];
    elements.set(renderKey(key), renderValue(value));
  }
  const valueType = map === undefined ? undefined : renderType(map);
  const interval = flags?.includes("interval") ?? false;
  return { keyType: renderType(type ?? ""), valueType, interval, elements };
}

function renderType(type: string | readonly string[]): string {
  return typeof type === "string" ? type : type.join(" . ");
}

interface Expression {
  readonly prefix?: { readonly addr: string; readonly len: number };
  readonly range?: readonly unknown[];
  readonly concat?: readonly unknown[];
  readonly elem?: { readonly val: unknown };
  readonly goto?: { readonly target: string };
  readonly jump?: { readonly target: string };
}

/** As the reconciler writes it: addresses in one form, names quoted, marks in hexadecimal. */
function renderKey(key: unknown): string {
  if (typeof key === "number") return `0x${key.toString(16)}`;
  if (typeof key === "string") {
    const address = parseAddress(key);
    return address === undefined ? `"${key}"` : renderAddress(address);
  }
  const { prefix, range, concat, elem } = key as Expression;
  if (prefix !== undefined) return `${renderKey(prefix.addr)}/${prefix.len}`;
  if (range !== undefined) return range.map(renderKey).join("-");
  if (concat !== undefined) return concat.map(renderKey).join(" . ");
  return elem === undefined ? JSON.stringify(key) : renderKey(elem.val);
}

function renderValue(value: unknown): string {
  if (typeof value === "string") return value === "" ? "" : renderKey(value);
  const { goto: target, jump } = value as Expression;
  if (target !== undefined) return `goto ${target.target}`;
  return jump === undefined ? JSON.stringify(value) : `jump ${jump.target}`;
}
