// Which bits of marks others use: read from what nft, iptables-save and ip rule print. Only what
// they say in constants can be seen.

import type { DoctorRule } from "./network-facts.ts";

/** A use of the packet's or the connection's mark by somebody else. */
export interface MarkUse {
  /** Where, as a person finds it again. */
  readonly where: string;
  readonly how: "sets" | "matches";
  /** The bits that are set, or that must be. */
  readonly value: number;
  /** The bits that are written, or looked at. */
  readonly mask: number;
}

const WHOLE = 0xffffffff;

/** Rules that route by mark. */
export function ruleMarkUses(rules: readonly DoctorRule[]): MarkUse[] {
  return rules.flatMap(({ priority, mark, mask }) => {
    const where = `ip rule ${priority}`;
    return mark === undefined ? [] : [{ where, how: "matches" as const, value: mark, mask }];
  });
}

const IPTABLES_MARK = /--(mark|set-mark|set-xmark|or-mark) (0x[0-9a-f]+|\d+)(?:\/(0x[0-9a-f]+))?/g;
const RESTORE = /--restore-mark(?: --nfmask (0x[0-9a-f]+))?/;

/** What iptables-save prints. */
export function iptablesMarkUses(saved: string): MarkUse[] {
  const uses: MarkUse[] = [];
  for (const line of saved.split("\n")) {
    if (!line.includes("mark")) continue;
    const where = `iptables ${line.trim()}`;
    for (const [, option, value = "", mask] of line.matchAll(IPTABLES_MARK)) {
      const how = option === "mark" ? "matches" : "sets";
      const bits = Number(value);
      const touched = mask === undefined ? WHOLE : (Number(mask) | bits) >>> 0;
      uses.push({ where, how, value: bits, mask: option === "or-mark" ? bits : touched });
    }
    const restored = RESTORE.exec(line);
    // The connection's bits come over as they are: none of them are known to be set.
    if (restored !== null) {
      uses.push({ where, how: "sets", value: 0, mask: Number(restored[1] ?? WHOLE) });
    }
  }
  return uses;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * What `nft -j list ruleset` prints, less the table `own` of the family inet and, if they were
 * `saved` by iptables-save, the tables of iptables, whose targets nft does not show.
 */
export function nftMarkUses(
  objects: readonly unknown[],
  { own, saved }: { readonly own: string; readonly saved: boolean },
): MarkUse[] {
  return objects.flatMap((object) => {
    const rule = (object as { rule?: NftRule }).rule;
    if (rule === undefined || isOwn(rule, own) || (saved && isOfIptables(rule))) return [];
    const { family, table, chain, handle, expr = [] } = rule;
    const where = `nft rule ${family} ${table} ${chain} handle ${handle}`;
    return expr.flatMap((one) => nftUses(one as Json)).map((use) => ({ where, ...use }));
  });
}

interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr?: readonly unknown[];
}

const IPTABLES_TABLES = ["filter", "nat", "mangle", "raw", "security"];

function isOfIptables({ family, table }: NftRule): boolean {
  return (family === "ip" || family === "ip6") && IPTABLES_TABLES.includes(table);
}

/** True for rules and chains of our own table. */
export function isOwn(object: Pick<NftRule, "family" | "table">, own: string): boolean {
  return object.family === "inet" && object.table === own;
}

function nftUses({ match, mangle }: Json): Omit<MarkUse, "where">[] {
  if (match !== undefined) {
    const { left, right } = match as { left: unknown; right: unknown };
    const looked = lookedAt(left);
    if (looked === undefined) return [];
    return constantsOf(right).map(({ value, mask }) => {
      return { how: "matches", value, mask: (looked & mask) >>> 0 };
    });
  }
  if (mangle === undefined) return [];
  const { key, value } = mangle as { key: unknown; value: unknown };
  return isMark(key) ? [{ how: "sets", ...written(value) }] : [];
}

function isMark(expression: unknown): boolean {
  const { meta, ct } = (expression ?? {}) as { meta?: { key?: string }; ct?: { key?: string } };
  return meta?.key === "mark" || ct?.key === "mark";
}

/** The bits of a mark that an expression looks at; undefined: it is about something else. */
function lookedAt(expression: unknown): number | undefined {
  if (isMark(expression)) return WHOLE;
  const masked = (expression as { "&"?: readonly unknown[] })["&"];
  if (masked === undefined) return undefined;
  const [inner, mask] = masked;
  const looked = lookedAt(inner);
  return looked === undefined || typeof mask !== "number" ? looked : (looked & mask) >>> 0;
}

/** The constants that something is compared with; a range counts as all that is in its bits. */
function constantsOf(right: unknown): { value: number; mask: number }[] {
  if (typeof right === "number") return [{ value: right, mask: WHOLE }];
  const { set, range, prefix } = (right ?? {}) as {
    set?: readonly unknown[];
    range?: readonly [number, number];
    prefix?: { addr: number; len: number };
  };
  if (Array.isArray(set)) return set.flatMap(constantsOf);
  if (range !== undefined) return [{ value: (range[0] | range[1]) >>> 0, mask: WHOLE }];
  if (prefix === undefined) return [{ value: 0, mask: WHOLE }];
  const mask = prefix.len === 0 ? 0 : (WHOLE << (32 - prefix.len)) >>> 0;
  return [{ value: prefix.addr, mask }];
}

/** What becomes of a mark: the bits that are written, and those that are certainly set. */
function written(expression: unknown): { value: number; mask: number } {
  if (typeof expression === "number") return { value: expression, mask: WHOLE };
  for (const sign of ["|", "^", "&"] as const) {
    const parts = (expression as Readonly<Record<string, readonly unknown[]>>)[sign];
    if (parts === undefined) continue;
    const [left, right] = parts;
    const constant = typeof right === "number" ? right : 0;
    const inner = isMark(left) ? { value: 0, mask: 0 } : written(left);
    if (sign === "&") {
      return { value: inner.value & constant, mask: (inner.mask | ~constant) >>> 0 };
    }
    return { value: (inner.value | constant) >>> 0, mask: (inner.mask | constant) >>> 0 };
  }
  // A map, the other mark: every bit is written, which ones are set cannot be told.
  return { value: 0, mask: WHOLE };
}
