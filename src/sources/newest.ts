// Keeps one version of every object. Which one does not depend on the order in which they come.

import { sameValue } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { Issue } from "../model/issue.ts";
import { issue } from "../model/issue.ts";
import type { Kind, ObjectChange } from "../model/objects.ts";
import type { Version } from "../model/parse/object.ts";

interface Held {
  readonly change: ObjectChange;
  readonly version: Version;
  /** True if the input has this object in more than one version. */
  readonly differs: boolean;
}

/** The newest version of each object that was added. */
export class NewestVersions {
  readonly #byKind = new Map<Kind, Map<string, Held>>();
  /** Objects without a name: each of them is wrong in its own way. */
  readonly #nameless: Issue[] = [];

  add(change: ObjectChange, version: Version): void {
    let held = this.#byKind.get(change.kind);
    if (held === undefined) this.#byKind.set(change.kind, (held = new Map()));
    const old = held.get(change.key);
    if (old === undefined) held.set(change.key, { change, version, differs: false });
    else if (change.key === "") this.#nameless.push(...change.issues);
    else held.set(change.key, newer(old, { change, version, differs: false }));
  }

  changes(): ObjectChange[] {
    return [...this.#byKind.values()].flatMap((held) => {
      return Array.from(held.values(), ({ change }) => change);
    });
  }

  /** What is not in the changes' own issues. */
  issues(): Issue[] {
    const issues = [...this.#nameless];
    for (const held of this.#byKind.values()) {
      for (const one of held.values()) if (one.differs) issues.push(duplicate(one));
    }
    return issues;
  }
}

/** The newer of two versions; it remembers whether they differ. */
function newer(a: Held, b: Held): Held {
  const differs = a.differs || b.differs || !sameValue(a.change, b.change);
  const { change, version } = compareVersions(a, b) < 0 ? b : a;
  return { change, version, differs };
}

function compareVersions(a: Held, b: Held): number {
  return (
    a.version.resourceVersion - b.version.resourceVersion ||
    a.version.generation - b.version.generation ||
    a.version.createdAt - b.version.createdAt ||
    compareBytes(JSON.stringify(a.change), JSON.stringify(b.change))
  );
}

function duplicate({ change, version }: Held): Issue {
  const { resourceVersion } = version;
  const chosen = resourceVersion < 0 ? "the newest" : `resourceVersion ${resourceVersion}`;
  const problem = "the input has different versions of this object";
  const message = `${problem}; ${chosen} counts, remove the rest`;
  return issue("DuplicateObject", { object: objectName(change), path: "" }, message);
}

/** As issues name it: `Kind/name` or `Kind/namespace/name`. */
function objectName({ kind, key, value, issues }: ObjectChange): string {
  if (issues[0] !== undefined) return issues[0].object;
  if (value === undefined || !("namespace" in value)) return `${kind}/${key}`;
  return `${kind}/${value.namespace}/${value.name}`;
}
