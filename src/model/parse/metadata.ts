// What every object has below `metadata`, and the labels that some are read for.

import type { EndpointKey } from "../endpoint.ts";
import { endpointKey } from "../endpoint.ts";
import type { Labels } from "../labels.ts";
import { internLabels } from "../labels.ts";
import type { CreatedAt } from "../policy.ts";
import { NEWEST } from "../policy.ts";
import type { Fields } from "./fields.ts";
import { shared } from "./shared.ts";
import { show } from "./wording.ts";

/** A raw object on its way: its fields, and what was read of its metadata. */
export interface RawObject {
  readonly root: Fields;
  readonly metadata: Fields;
  readonly name: string;
  /** `default` where a namespaced object has none; empty for cluster-scoped ones. */
  readonly namespace: string;
  /** Namespaced: the UID, or `namespace/name` without one (rule 3.6); else the name. */
  readonly key: EndpointKey;
  readonly createdAt: CreatedAt;
  /** `metadata.generation`; -1 without one. */
  readonly generation: number;
}

// RFC 3339, as metav1.Time and MicroTime write it; Date.parse alone would take "May 1" as well.
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Reads the metadata; notes a missing name. */
export function readObject(root: Fields, namespaced: boolean): RawObject {
  const metadata = root.fields("metadata");
  const before = root.noted;
  const name = metadata.string("name");
  if (name === "" && root.noted === before) {
    metadata.note("MissingField", "an object needs a name; write metadata.name", "name");
  }
  const createdAt = readCreatedAt(metadata);
  const generation = metadata.number("generation");
  if (!namespaced) {
    const key = name as EndpointKey;
    return { root, metadata, name, namespace: "", key, createdAt, generation };
  }
  const namespace = shared(metadata.string("namespace") || "default");
  const uid = metadata.string("uid");
  const key = uid === "" && name === "" ? ("" as EndpointKey) : endpointKey(uid, namespace, name);
  return { root, metadata, name, namespace, key, createdAt, generation };
}

/** `metadata.creationTimestamp` in seconds; `NEWEST` without one (rule 3.6). */
function readCreatedAt(metadata: Fields): CreatedAt {
  const text = metadata.string("creationTimestamp");
  if (text === "") return NEWEST;
  const milliseconds = TIMESTAMP.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(milliseconds)) return Math.min(Math.floor(milliseconds / 1000), NEWEST);
  const example = "write it like 2026-01-31T12:00:00Z";
  metadata.note("InvalidField", `${show(text)} is not a time; ${example}`, "creationTimestamp");
  return NEWEST;
}

/** Label sets by their keys and values in turn, in the order written. */
interface LabelTree {
  labels: Labels | undefined;
  readonly next: Map<string, LabelTree>;
}

const LABEL_TREES_MAX = 16_384;
let labelTrees = 0;
let labelRoot: LabelTree = { labels: undefined, next: new Map() };

/**
 * `metadata.labels`. Objects of one owner write their labels in one order, so that most sets are
 * found in the tree without being sorted.
 */
export function readLabels(metadata: Fields): Labels {
  const pairs = metadata.stringMap("labels");
  let tree = labelRoot;
  for (const [key, value] of pairs) tree = branch(branch(tree, key), value);
  if (tree.labels !== undefined) return tree.labels;
  const labels = internLabels(pairs);
  tree.labels = labels;
  // Bounded: an agent that runs for years must not collect every set that it ever saw.
  if (labelTrees > LABEL_TREES_MAX) {
    labelTrees = 0;
    labelRoot = { labels: undefined, next: new Map() };
  }
  return labels;
}

function branch(tree: LabelTree, text: string): LabelTree {
  const known = tree.next.get(text);
  if (known !== undefined) return known;
  const next: LabelTree = { labels: undefined, next: new Map() };
  tree.next.set(text, next);
  labelTrees++;
  return next;
}
