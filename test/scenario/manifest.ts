// From YAML to object changes, and from the name of an object to the change that deletes it.

import assert from "node:assert/strict";
import { loadAll } from "js-yaml";
import type { Kind, ObjectChange } from "../../src/model/objects.ts";
import type { TypeMeta } from "../../src/model/parse/object.ts";
import { parseObject } from "../../src/model/parse/object.ts";

/** The objects of a file, in order; other kinds are skipped. */
export function loadManifest(text: string): ObjectChange[] {
  return loadAll(text).flatMap((raw) => changesOf(raw));
}

/** The object, or the items of the list, that a raw value stands for. */
export function changesOf(raw: unknown, inherited?: TypeMeta): ObjectChange[] {
  const parsed = parseObject(raw, inherited);
  switch (parsed.kind) {
    case "object":
      return [parsed.change];
    case "list":
      return parsed.items.flatMap((item) => changesOf(item, parsed.itemType));
    case "other":
      return [];
    case "invalid":
      return assert.fail(JSON.stringify(parsed.issues));
  }
}

export function deletion(kind: Kind, key: string): ObjectChange {
  return { kind, key, value: undefined, refused: false, issues: [] } as ObjectChange;
}

/** The objects that exist, so that a story may say `delete Pod/default/web-0`. */
export class ObjectNames {
  readonly #names = new Map<string, string>();

  note(change: ObjectChange): void {
    const id = `${change.kind}/${change.key}`;
    if (change.value !== undefined) this.#names.set(id, nameOf(change));
    else if (!change.refused) this.#names.delete(id);
    else if (!this.#names.has(id)) this.#names.set(id, change.key);
  }

  /** The deletion of `KIND/[NAMESPACE/]NAME`, of which there must be one, or of `KIND:KEY`. */
  deletion(target: string): ObjectChange {
    const [, kind, sign, name] = /^(\w+)([/:])(.+)$/.exec(target) ?? assert.fail(target);
    const keys = [...this.#names].flatMap(([id, known]) =>
      id.startsWith(`${kind}/`) && known === name ? [id.slice(`${kind}/`.length)] : [],
    );
    if (sign === ":") return deletion(kind as Kind, name as string);
    assert.equal(keys.length, 1, `delete ${target}: ${keys.length} objects have this name`);
    return deletion(kind as Kind, keys[0] as string);
  }
}

function nameOf({ kind, key, value }: ObjectChange): string {
  if (kind !== "Pod" && kind !== "CiliumEndpoint") return key;
  return value === undefined ? key : `${value.namespace}/${value.name}`;
}
