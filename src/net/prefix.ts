// IP prefixes as values: the bytes of the masked address, then one character with the length.
// `===` is equality, and comparing strings orders by address bytes, then by length.

import type { Address, Family } from "./address.ts";
import { compareAddresses, parseAddress, renderAddress } from "./address.ts";

declare const brand: unique symbol;

/** 5 (IPv4) or 17 (IPv6) characters, each one byte: address without host bits, then length. */
export type Prefix = string & { readonly [brand]: "Prefix" };

/** The number of bits in an address of this family: 32 or 128. */
export function bitsOf(family: Family): number {
  return family === "IPv4" ? 32 : 128;
}

export function prefixFamily(prefix: Prefix): Family {
  return prefix.length === 5 ? "IPv4" : "IPv6";
}

/** The length in bits: 0 to 32, or 0 to 128. */
export function prefixLength(prefix: Prefix): number {
  return prefix.charCodeAt(prefix.length - 1);
}

export function prefixAddress(prefix: Prefix): Address {
  return prefix.slice(0, -1) as Address;
}

/** Orders prefixes: IPv4 first, then by address bytes, then shorter first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The prefix of `length` bits that `address` lies in; host bits are masked away. */
export function prefixOf(address: Address, length: number): Prefix {
  return (maskAddress(address, length) + String.fromCharCode(length)) as Prefix;
}

/** Reads `address/length`, masks host bits (rule 2.2), or gives undefined; a mask is required. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= address.length * 8 ? prefixOf(address, length) : undefined;
}

/** `address/length` in text. */
export function renderPrefix(prefix: Prefix): string {
  return `${renderAddress(prefixAddress(prefix))}/${prefixLength(prefix)}`;
}

/** True if `address` lies inside `prefix`; addresses of the other family never do. */
export function containsAddress(prefix: Prefix, address: Address): boolean {
  if (address.length !== prefix.length - 1) return false;
  return compareAddresses(maskAddress(address, prefixLength(prefix)), prefixAddress(prefix)) === 0;
}

/** True if every address of `inner` lies inside `outer`. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(inner) >= prefixLength(outer) && containsAddress(outer, prefixAddress(inner));
}

function maskAddress(address: Address, length: number): Address {
  const whole = length >>> 3;
  if (whole >= address.length) return address;
  const partial = address.charCodeAt(whole) & (0xff00 >>> (length & 7)) & 0xff;
  const zeros = "\0".repeat(address.length - whole - 1);
  return (address.slice(0, whole) + String.fromCharCode(partial) + zeros) as Address;
}
