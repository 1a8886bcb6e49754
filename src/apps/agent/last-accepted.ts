// The policies that were accepted last, on disk: a restart while a policy's newest version is
// refused must not take its rows away (rule 2.3).

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";
import type { ObjectChange } from "../../model/objects.ts";
import type { Policy } from "../../model/policy.ts";

/** Raised when what is stored is no longer read as before; other versions are ignored. */
const VERSION = 1;
const FILE = "accepted-policies.json";

interface Stored {
  readonly version: number;
  readonly policies: readonly Policy[];
}

export class LastAccepted {
  readonly #path: string;
  readonly #policies = new Map<string, Policy>();
  /** Stored ones that no source has mentioned since the start. */
  readonly #unseen: Set<string>;
  #dirty = false;

  /** Reads what an earlier process left. Throws OperationError where nothing can be stored. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
    try {
      mkdirSync(directory, { recursive: true });
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      throw new OperationError({ code, op: "mkdir", target: directory, cause });
    }
    for (const policy of readStored(this.#path)) this.#policies.set(policy.name, policy);
    this.#unseen = new Set(this.#policies.keys());
  }

  /** What was accepted before, as changes to begin with. */
  changes(): ObjectChange[] {
    return [...this.#policies.values()].map((policy) => changeOf(policy.name, policy));
  }

  /** Takes note of what a source says. */
  note(changes: readonly ObjectChange[]): void {
    for (const change of changes) {
      if (change.kind !== "CiliumEgressGatewayPolicy") continue;
      this.#unseen.delete(change.key);
      if (change.refused) continue;
      this.#dirty = true;
      if (change.value === undefined) this.#policies.delete(change.key);
      else this.#policies.set(change.key, change.value);
    }
  }

  /** Once the source is synced: policies that are gone since the last process. */
  gone(): ObjectChange[] {
    const names = [...this.#unseen];
    this.#unseen.clear();
    const changes = names.map((name) => changeOf(name, undefined));
    this.note(changes);
    return changes;
  }

  /** Writes the file if something changed. Throws OperationError. */
  save(): void {
    if (!this.#dirty) return;
    const stored: Stored = { version: VERSION, policies: [...this.#policies.values()] };
    const part = `${this.#path}.part`;
    try {
      writeFileSync(part, JSON.stringify(stored));
      renameSync(part, this.#path);
      this.#dirty = false;
    } catch (cause) {
      const { code = "EIO" } = cause as NodeJS.ErrnoException;
      throw new OperationError({ code, op: "write", target: this.#path, cause });
    }
  }
}

function changeOf(key: string, value: Policy | undefined): ObjectChange {
  return { kind: "CiliumEgressGatewayPolicy", key, value, refused: false, issues: [] };
}

/** A file that is missing, cut short or of another version holds nothing. */
function readStored(path: string): readonly Policy[] {
  try {
    const stored = JSON.parse(readFileSync(path, "utf8")) as Stored;
    return stored.version === VERSION ? stored.policies : [];
  } catch {
    return [];
  }
}
