// Which policies may select a label set: an inverted index from one requirement of each rule to the
// rule, so that a new label set is tried against few of a thousand policies.

import type { Labels } from "../model/labels.ts";
import type { Rule } from "../model/policy.ts";
import type { Requirement, Selector } from "../model/selector.ts";
import { selectorMatches } from "../model/selector.ts";

interface IndexedRule<P> {
  readonly policy: P;
  readonly selector: Selector;
}

export class RuleIndex<P> {
  /** By `key`, NUL, `value`: rules that need this label. */
  readonly #byLabel = new Map<string, IndexedRule<P>[]>();
  /** By key: rules that need some value of it. */
  readonly #byKey = new Map<string, IndexedRule<P>[]>();
  /** Rules without a requirement that a label could satisfy. */
  readonly #rest: IndexedRule<P>[] = [];

  add(policy: P, rules: readonly Rule[]): void {
    for (const rule of rules) {
      const selector = podPart(rule);
      for (const bucket of this.#buckets(selector)) bucket.push({ policy, selector });
    }
  }

  remove(policy: P, rules: readonly Rule[]): void {
    for (const rule of rules) {
      for (const bucket of this.#buckets(podPart(rule))) {
        const kept = bucket.filter((indexed) => indexed.policy !== policy);
        bucket.splice(0, bucket.length, ...kept);
      }
    }
  }

  /** The policies of which some rule's pod and namespace part matches `labels`. */
  matching(labels: Labels): Set<P> {
    const found = new Set<P>();
    collect(this.#rest, labels, found);
    for (let i = 0; i < labels.length; i += 2) {
      const key = labels[i] as string;
      collect(this.#byKey.get(key), labels, found);
      collect(this.#byLabel.get(`${key}\0${labels[i + 1]}`), labels, found);
    }
    return found;
  }

  /** Where a selector is filed: a function of the selector alone, so that it is found again. */
  #buckets(selector: Selector): IndexedRule<P>[][] {
    const access = accessRequirement(selector);
    if (access === undefined) return [this.#rest];
    if (access.operator === "Exists") return [bucket(this.#byKey, access.key)];
    return access.values.map((value) => bucket(this.#byLabel, `${access.key}\0${value}`));
  }
}

/** A rule's pod and namespace parts together; both match an endpoint's joined labels. */
export function podPart(rule: Rule): Selector {
  return [...(rule.pod ?? []), ...(rule.namespace ?? [])];
}

/** The In with the fewest values: what a label set must have for the rule to match. */
function accessRequirement(selector: Selector): Requirement | undefined {
  const ins = selector.filter(({ operator }) => operator === "In");
  if (ins.length === 0) return selector.find(({ operator }) => operator === "Exists");
  return ins.reduce((best, one) => (one.values.length < best.values.length ? one : best));
}

function bucket<P>(index: Map<string, IndexedRule<P>[]>, key: string): IndexedRule<P>[] {
  let rules = index.get(key);
  if (rules === undefined) index.set(key, (rules = []));
  return rules;
}

function collect<P>(
  rules: readonly IndexedRule<P>[] | undefined,
  labels: Labels,
  found: Set<P>,
): void {
  for (const { policy, selector } of rules ?? []) {
    if (!found.has(policy) && selectorMatches(selector, labels)) found.add(policy);
  }
}
