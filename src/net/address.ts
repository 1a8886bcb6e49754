// IP addresses as values. An `Address` is the address's bytes, one per character (4 or 16), so that
// `===` is equality, a Map takes it as key, and comparing strings compares bytes.

declare const brand: unique symbol;

/** 4 (IPv4) or 16 (IPv6) characters, each one byte (0 to 255), network order. */
export type Address = string & { readonly [brand]: "Address" };

export type Family = "IPv4" | "IPv6";

export const FAMILIES: readonly Family[] = ["IPv4", "IPv6"];
const V4_BYTES = 4;
const V6_BYTES = 16;
const V6_GROUPS = 8;

/** The unspecified address, `0.0.0.0` or `::`. */
export function unspecified(family: Family): Address {
  return family === "IPv4" ? V4_UNSPECIFIED : V6_UNSPECIFIED;
}

const V4_UNSPECIFIED = "\0".repeat(V4_BYTES) as Address;
const V6_UNSPECIFIED = "\0".repeat(V6_BYTES) as Address;

export function familyOf(address: Address): Family {
  return address.length === V4_BYTES ? "IPv4" : "IPv6";
}

/** Orders addresses: IPv4 first, then by bytes (rule 5.4). */
export function compareAddresses(a: Address, b: Address): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** An IPv4 address as an unsigned 32-bit number. */
export function v4Number(address: Address): number {
  return (
    ((address.charCodeAt(0) << 24) |
      (address.charCodeAt(1) << 16) |
      (address.charCodeAt(2) << 8) |
      address.charCodeAt(3)) >>>
    0
  );
}

/** 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, 2.5.6). */
export function isLinkLocal(address: Address): boolean {
  const first = address.charCodeAt(0);
  const second = address.charCodeAt(1);
  if (address.length === V4_BYTES) return first === 169 && second === 254;
  return first === 0xfe && (second & 0xc0) === 0x80;
}

/**
 * Reads an address in text, or gives undefined. Dotted decimal without leading zeros; IPv6 as in
 * RFC 4291, 2.2, an embedded IPv4 tail included; no zone. Like Go's netip.ParseAddr less zones.
 */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Address | undefined {
  const bytes = [0, 0, 0, 0];
  let part = 0;
  let digits = 0;
  let value = 0;
  for (let i = 0; i <= text.length; i++) {
    const unit = i < text.length ? text.charCodeAt(i) : DOT;
    if (unit === DOT) {
      if (digits === 0 || part === V4_BYTES) return undefined;
      bytes[part++] = value;
      digits = 0;
      value = 0;
      continue;
    }
    const digit = unit - 48;
    if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined;
    value = value * 10 + digit;
    digits++;
    if (value > 255) return undefined;
  }
  if (part !== V4_BYTES) return undefined;
  return String.fromCharCode(bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!) as Address;
}

const DOT = 46;

function parseV6(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = V6_GROUPS - head.length - tail.length;
  // "::" stands for one or more groups of zeros; without it all eight are there.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  let out = "";
  for (const group of groups) out += String.fromCharCode(group >>> 8, group & 0xff);
  return out as Address;
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes(".")) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      const number = v4Number(v4);
      groups.push(number >>> 16, number & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups.length <= V6_GROUPS ? groups : undefined;
}

/** The address in text: dotted decimal, or RFC 5952 for IPv6 (IPv4-mapped ones dotted). */
export function renderAddress(address: Address): string {
  return address.length === V4_BYTES ? renderV4(address) : renderV6(address);
}

function renderV4(address: Address): string {
  const head = `${address.charCodeAt(0)}.${address.charCodeAt(1)}`;
  return `${head}.${address.charCodeAt(2)}.${address.charCodeAt(3)}`;
}

function renderV6(address: Address): string {
  const groups: number[] = [];
  for (let i = 0; i < V6_BYTES; i += 2) {
    groups.push((address.charCodeAt(i) << 8) | address.charCodeAt(i + 1));
  }
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${renderAddress(address.slice(12) as Address)}`;
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(":");
  return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (i < groups.length && groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
