// Joins a pod's own labels with those of its namespace (rule 3.2), once per distinct pair.

import type { Labels } from "./labels.ts";
import { internLabels } from "./labels.ts";

export const NAMESPACE_NAME_LABEL = "io.kubernetes.pod.namespace";
export const NAMESPACE_LABEL_PREFIX = "io.cilium.k8s.namespace.labels.";

interface Namespace {
  /** Undefined: no object; the namespace has no labels, and nothing waits for it (rule 3.6). */
  readonly labels: Labels | undefined;
  readonly joined: WeakMap<Labels, Labels>;
}

export class NamespaceLabels {
  readonly #namespaces = new Map<string, Namespace>();

  /** Sets or (undefined) removes a namespace's labels; false if nothing changed. */
  set(name: string, labels: Labels | undefined): boolean {
    if (this.#namespaces.get(name)?.labels === labels) return false;
    this.#namespaces.set(name, { labels, joined: new WeakMap() });
    return true;
  }

  /** What selectors match for a pod with `own` labels in this namespace. */
  join(name: string, own: Labels): Labels {
    let namespace = this.#namespaces.get(name);
    if (namespace === undefined) {
      namespace = { labels: undefined, joined: new WeakMap() };
      this.#namespaces.set(name, namespace);
    }
    const known = namespace.joined.get(own);
    if (known !== undefined) return known;
    const pairs = pairsOf(own);
    for (const [key, value] of pairsOf(namespace.labels ?? [])) {
      pairs.push([NAMESPACE_LABEL_PREFIX + key, value]);
    }
    pairs.push([NAMESPACE_NAME_LABEL, name]);
    const joined = internLabels(pairs);
    namespace.joined.set(own, joined);
    return joined;
  }
}

function pairsOf(labels: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) {
    pairs.push([labels[i] as string, labels[i + 1] as string]);
  }
  return pairs;
}
