// Label sets, interned: two sets with the same content are the same object, so that a thousand pods
// of one Deployment share one set and sets are compared with `===`.

import { compareBytes } from "../lib/order.ts";

declare const brand: unique symbol;

/** Keys and values in turn, sorted by key: `["app", "web", "tier", "front"]`. Interned. */
export type Labels = readonly string[] & { readonly [brand]: "Labels" };

/** The value of `key`, or undefined. O(labels). */
export function labelValue(labels: Labels, key: string): string | undefined {
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === key) return labels[i + 1];
  }
  return undefined;
}

const interned = new Map<string, WeakRef<readonly string[]>>();
const collected = new FinalizationRegistry<string>((text) => {
  if (interned.get(text)?.deref() === undefined) interned.delete(text);
});

/** The one set with this content. `pairs` may come in any order; the last of equal keys counts. */
export function internLabels(pairs: Iterable<readonly [string, string]>): Labels {
  const unique = new Map(pairs);
  const sorted = [...unique].sort((a, b) => compareBytes(a[0], b[0])).flat();
  // JSON keeps the text unambiguous whatever the labels contain.
  const text = JSON.stringify(sorted);
  const known = interned.get(text)?.deref();
  if (known !== undefined) return known as Labels;
  interned.set(text, new WeakRef(sorted));
  collected.register(sorted, text);
  return sorted as readonly string[] as Labels;
}

export const NO_LABELS: Labels = internLabels([]);

/** `app=web,tier=front`, or `(none)`. */
export function renderLabels(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) parts.push(`${labels[i]}=${labels[i + 1]}`);
  return parts.join(",") || "(none)";
}
