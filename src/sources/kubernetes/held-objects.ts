// What a source has given of one kind, so that lists and watches both become differences: an object
// that is listed again as it was says nothing, one that is missing from a list is gone, and one
// that was deleted and created again while nobody looked is two changes, told apart by its UID.

import type { RawObject } from "../../drivers/kube/objects.ts";
import { sameValue } from "../../lib/equal.ts";
import { isMapping } from "../../model/parse/fields.ts";
import type { TypeMeta } from "../../model/parse/object.ts";
import { parseObject, textOf } from "../../model/parse/object.ts";
import type { ObjectChange } from "../../model/objects.ts";

interface Held {
  /** Empty where the change's key is the UID already. */
  readonly uid: string;
  readonly change: ObjectChange;
}

/** Told every object as it came, also where it says nothing new; `raw` undefined: it is gone. */
export type OnRaw = (key: string, raw: RawObject | undefined) => void;

export class HeldObjects {
  readonly #type: TypeMeta;
  readonly #onRaw: OnRaw | undefined;
  readonly #held = new Map<string, Held>();
  /** While a list is read: the keys that it had so far. */
  #listed: Set<string> | undefined;

  /** `type`: of objects that do not say theirs, as in a list. */
  constructor(type: TypeMeta, onRaw?: OnRaw) {
    this.#type = type;
    this.#onRaw = onRaw;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The next objects are those of a whole list. */
  beginList(): void {
    this.#listed = new Set();
  }

  /** The list was whole: what was not in it is gone. */
  endList(): ObjectChange[] {
    const listed = this.#listed ?? new Set();
    this.#listed = undefined;
    const gone: ObjectChange[] = [];
    for (const [key, { change }] of this.#held) {
      if (!listed.has(key)) gone.push(this.#drop(key, change));
    }
    return gone;
  }

  /** An object as it is now. */
  put(raw: unknown): ObjectChange[] {
    const parsed = parseObject(raw, this.#type);
    // The API server keeps to the schema; what it would have to be is not ours to guess.
    if (parsed.kind !== "object") return [];
    const { change } = parsed;
    this.#listed?.add(change.key);
    this.#onRaw?.(change.key, raw as RawObject);
    const before = this.#held.get(change.key);
    const uid = uidOf(raw);
    const now = { uid: uid === change.key ? "" : uid, change };
    const replaced = before !== undefined && before.uid !== now.uid;
    if (before !== undefined && !replaced && sameValue(before.change, change)) return [];
    this.#held.set(change.key, now);
    return replaced ? [goneOf(before.change), change] : [change];
  }

  /** An object that was deleted; `raw` is its last state. */
  remove(raw: unknown): ObjectChange[] {
    const parsed = parseObject(raw, this.#type);
    if (parsed.kind !== "object") return [];
    const held = this.#held.get(parsed.change.key);
    return held === undefined ? [] : [this.#drop(parsed.change.key, held.change)];
  }

  #drop(key: string, change: ObjectChange): ObjectChange {
    this.#held.delete(key);
    this.#onRaw?.(key, undefined);
    return goneOf(change);
  }
}

function goneOf(change: ObjectChange): ObjectChange {
  return { ...change, value: undefined, refused: false, issues: [] };
}

function uidOf(raw: unknown): string {
  const metadata = isMapping(raw) ? raw["metadata"] : undefined;
  return (isMapping(metadata) ? textOf(metadata, "uid") : undefined) ?? "";
}
