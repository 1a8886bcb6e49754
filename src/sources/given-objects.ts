// What a source has given so far, so that the next whole list becomes a list of differences.

import { sameValue } from "../lib/equal.ts";
import type { Issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import type { FileObject } from "./file-objects.ts";
import { NewestVersions } from "./newest.ts";

export class GivenObjects {
  #given = new Map<string, ObjectChange>();
  #issues: readonly Issue[] = [];

  /** Of duplicates in the last list, see `NewestVersions`. */
  get issues(): readonly Issue[] {
    return this.#issues;
  }

  /** Takes the whole list; gives what differs from the one before, what is gone last. */
  replace(objects: readonly FileObject[]): ObjectChange[] {
    const newest = new NewestVersions();
    for (const { change, version } of objects) newest.add(change, version);
    const now = new Map(newest.changes().map((change) => [keyOf(change), change]));
    const changes = [...now].flatMap(([key, change]) => {
      return sameValue(this.#given.get(key), change) ? [] : [change];
    });
    for (const [key, change] of this.#given) if (!now.has(key)) changes.push(gone(change));
    this.#given = now;
    this.#issues = newest.issues();
    return changes;
  }
}

function keyOf({ kind, key }: ObjectChange): string {
  return `${kind} ${key}`;
}

function gone(change: ObjectChange): ObjectChange {
  return { ...change, value: undefined, refused: false, issues: [] };
}
