// Reads addresses and prefixes from fields, and says what to write instead of a bad one.

import type { Address } from "../../net/address.ts";
import { compareAddresses, familyOf, parseAddress } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import { bitsOf, comparePrefixes, parsePrefix } from "../../net/prefix.ts";
import type { Fields } from "./fields.ts";
import { show } from "./wording.ts";

const NO_ADDRESSES: readonly Address[] = Object.freeze([]);

/** The address in a field; undefined when it is absent or empty, or refused with an issue. */
export function readAddress(fields: Fields, key: string): Address | undefined {
  const text = fields.string(key);
  return text === "" ? undefined : addressOf(text, fields, key);
}

/** The address that `text`, from `fields`' field `key`, stands for. */
export function addressOf(
  text: string,
  fields: Fields,
  key: string,
  index = -1,
): Address | undefined {
  const address = parseAddress(text);
  if (address === undefined) fields.note("InvalidAddress", addressProblem(text), key, index);
  return address;
}

function addressProblem(text: string): string {
  const bare = text.split(/[/%]/, 1)[0] as string;
  const remedy = parseAddress(bare) === undefined ? "write one like 192.0.2.7" : `write ${bare}`;
  return `${show(text)} is not an IPv4 or IPv6 address; ${remedy}`;
}

/** The prefixes in a field's list, masked (rule 2.2), in the order written, with their places. */
export function readPrefixes(fields: Fields, key: string): PlacedPrefix[] {
  return fields.strings(key).flatMap(({ text, index }) => prefixAt(text, fields, key, index));
}

/** The prefix in a field as a list of one, or none when the field is absent or empty. */
export function readPrefix(fields: Fields, key: string): PlacedPrefix[] {
  const text = fields.string(key);
  return text === "" ? [] : prefixAt(text, fields, key, -1);
}

export interface PlacedPrefix {
  readonly prefix: Prefix;
  /** The place in the list; -1 outside lists. */
  readonly index: number;
}

function prefixAt(text: string, fields: Fields, key: string, index: number): PlacedPrefix[] {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return [{ prefix, index }];
  fields.note("InvalidPrefix", prefixProblem(text), key, index);
  return [];
}

function prefixProblem(text: string): string {
  const slash = text.indexOf("/");
  const written = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(written);
  if (address === undefined) {
    return `${show(text)} is not an IPv4 or IPv6 prefix; write one like 192.0.2.0/24`;
  }
  const bits = bitsOf(familyOf(address));
  if (slash < 0) return `${text} has no mask; write ${text}/${bits}`;
  return `${show(text)} has no valid mask; write ${written}/ and a length from 0 to ${bits}`;
}

/** Sorted, without repetitions. */
export function uniquePrefixes(placed: readonly PlacedPrefix[]): readonly Prefix[] {
  return [...new Set(placed.map(({ prefix }) => prefix))].sort(comparePrefixes);
}

/** Sorted, without repetitions, in no more memory than needed: every Pod holds such a list. */
export function uniqueAddresses(addresses: readonly Address[]): readonly Address[] {
  if (addresses.length === 0) return NO_ADDRESSES;
  const [first, second] = addresses as readonly [Address, Address?];
  if (second === undefined) return [first];
  if (addresses.length === 2 && compareAddresses(first, second) < 0) return [first, second];
  return [...new Set(addresses)].sort(compareAddresses);
}
