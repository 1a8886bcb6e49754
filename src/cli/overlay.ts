// What a cluster would be if files were applied to it: `kubectl apply`, imagined.

import type { ObjectChange } from "../model/objects.ts";
import { NEWEST } from "../model/policy.ts";

/**
 * The objects of a cluster with those of files over them. A file's object takes the place of the
 * one with its name, and keeps what only the API server gives: UID and time of creation, for these
 * decide who wins (rules 3.7 and 7.3).
 */
export function overlay(
  live: readonly ObjectChange[],
  files: readonly ObjectChange[],
): ObjectChange[] {
  const byName = new Map(live.map((change) => [nameOf(change), change]));
  return [...live, ...files.map((change) => inPlaceOf(byName.get(nameOf(change)), change))];
}

function nameOf({ kind, key, value }: ObjectChange): string {
  const named = value !== undefined && "namespace" in value && "name" in value;
  return named ? `${kind} ${value.namespace}/${value.name}` : `${kind} ${key}`;
}

function inPlaceOf(before: ObjectChange | undefined, change: ObjectChange): ObjectChange {
  if (before === undefined || change.value === undefined) return change;
  const { key, value: old } = before;
  const value: Record<string, unknown> = { ...change.value };
  if (old !== undefined && "createdAt" in old && value["createdAt"] === NEWEST) {
    value["createdAt"] = old.createdAt;
  }
  // Only a Pod's and a CiliumEndpoint's own UID are part of what they say.
  if ("key" in value) value["key"] = key;
  if ("uid" in value) value["uid"] = key;
  return { ...change, key, value } as unknown as ObjectChange;
}
