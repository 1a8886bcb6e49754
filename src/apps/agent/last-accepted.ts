// The policies that were accepted last, on disk: a restart while a policy's newest version is
// refused must not take its rows away (rule 2.3).

import { join } from "node:path";
import type { ObjectChange } from "../../model/objects.ts";
import type { Policy } from "../../model/policy.ts";
import { readState, writeState } from "./state-file.ts";

const FILE = "accepted-policies.json";

const NO_GENERATION = { generation: 0 };

export class LastAccepted {
  readonly #path: string;
  readonly #policies = new Map<string, Policy>();
  /** Stored ones that no source has mentioned since the start. */
  readonly #unseen: Set<string>;
  #dirty = false;

  /** Reads what an earlier process left. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
    const stored = (readState(this.#path) ?? []) as readonly Policy[];
    // Agents before 0.2 did not write generations down.
    for (const one of stored) this.#policies.set(one.name, { ...NO_GENERATION, ...one });
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
    writeState(this.#path, [...this.#policies.values()]);
    this.#dirty = false;
  }
}

function changeOf(key: string, value: Policy | undefined): ObjectChange {
  return { kind: "CiliumEgressGatewayPolicy", key, value, refused: false, issues: [] };
}
