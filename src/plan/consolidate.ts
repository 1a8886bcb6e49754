// Finds policies that split pods over gateways by hand: the same prefixes and the same selectors
// but for the values of one label, each with a gateway of its own. For each such group one policy
// with the list of all their gateways, which selects exactly the same endpoints. A pure function.

import { compareBytes } from "../lib/order.ts";
import { NAMESPACE_LABEL_PREFIX } from "../model/namespace-labels.ts";
import type { GatewayEntry, Policy, Rule } from "../model/policy.ts";
import { GATEWAYS_MAX, NEWEST } from "../model/policy.ts";
import type { Requirement, Selector } from "../model/selector.ts";
import { compareRequirements } from "../model/selector.ts";

/** Several policies that become one. */
export interface Consolidation {
  /** The oldest first; then by name. At least two. */
  readonly members: readonly Policy[];
  readonly merged: Policy;
  /** The label by whose values the pods were split; undefined: they were not, see `any`. */
  readonly label: string | undefined;
}

export interface ConsolidateOptions {
  /** Also policies whose selectors have nothing in common, if only their prefixes are the same. */
  readonly any: boolean;
  /** Names that are taken: a merged policy gets another one. */
  readonly taken: ReadonlySet<string>;
}

/** The largest groups first come, first served; a policy is in one at most. Sorted by name. */
export function proposeConsolidations(
  policies: readonly Policy[],
  { any, taken }: ConsolidateOptions,
): Consolidation[] {
  const sorted = [...policies].sort(compareAge);
  const names = new Set(taken);
  const used = new Set<Policy>();
  const found: Consolidation[] = [];
  const groups = [...splitGroups(sorted), ...(any ? termGroups(sorted) : [])];
  for (const { label, members } of groups) {
    const free = members.filter((policy) => !used.has(policy));
    const gateways = joinGateways(free);
    if (free.length < 2 || gateways.length > GATEWAYS_MAX) continue;
    const name = nameFor(free, names);
    const oldest = free[0] as Policy;
    names.add(name);
    for (const policy of free) used.add(policy);
    const rules = joinRules(free, label);
    // It will be the newest: where others have the same prefixes, they win (rule 7.3).
    const age = { createdAt: NEWEST, generation: 0 };
    const merged = { ...oldest, name, ...age, rules, gateways, listed: true };
    found.push({ members: free, merged, label: label && shownLabel(label) });
  }
  return found.sort((a, b) => compareBytes(a.merged.name, b.merged.name));
}

interface Group {
  readonly label: string | undefined;
  readonly members: readonly Policy[];
}

/** Policies that differ in nothing but gateways and the values of one label. */
function splitGroups(policies: readonly Policy[]): Group[] {
  const groups = new Map<string, { label: string; members: Policy[] }>();
  for (const policy of policies) {
    for (const label of commonLabels(policy.rules)) {
      const rules = policy.rules.map((rule) => withoutValues(rule, label));
      const text = JSON.stringify([label, termsOf(policy), rules]);
      const group = groups.get(text) ?? { label, members: [] };
      group.members.push(policy);
      groups.set(text, group);
    }
  }
  return bySize([...groups.values()]);
}

/** Policies with the same prefixes. Rules with nodeSelectors are pooled, so these must agree. */
function termGroups(policies: readonly Policy[]): Group[] {
  const groups = new Map<string, Policy[]>();
  for (const policy of policies) {
    const nodes = policy.rules.map(({ node }) => node ?? null);
    const pool = nodes.every((node) => node === null) ? [] : [...new Set(nodes.map(textOf))];
    const text = JSON.stringify([termsOf(policy), pool.sort(compareBytes)]);
    groups.set(text, [...(groups.get(text) ?? []), policy]);
  }
  return bySize([...groups.values()].map((members) => ({ label: undefined, members })));
}

function bySize(groups: readonly Group[]): Group[] {
  return groups
    .filter(({ members }) => members.length > 1)
    .sort((a, b) => b.members.length - a.members.length);
}

function termsOf({ distribution, destinations, exclusions }: Policy) {
  return [distribution ?? null, destinations, exclusions];
}

/** Labels that every rule asks for by value, of pods or of namespaces. */
function commonLabels(rules: readonly Rule[]): string[] {
  const asked = rules.map(
    ({ pod, namespace }) =>
      new Set([...(pod ?? []), ...(namespace ?? [])].filter(isIn).map(({ key }) => key)),
  );
  const [first, ...others] = asked;
  return [...(first ?? [])].filter((key) => others.every((keys) => keys.has(key)));
}

function isIn({ operator }: Requirement): boolean {
  return operator === "In";
}

function withoutValues(rule: Rule, label: string) {
  const strip = (selector: Selector | undefined) =>
    selector?.map((one) => (one.key === label && isIn(one) ? { ...one, values: [] } : one)) ?? null;
  return [strip(rule.pod), strip(rule.namespace), rule.node ?? null];
}

/** Rules that select what all members' rules select together, and nothing else. */
function joinRules(members: readonly Policy[], label: string | undefined): readonly Rule[] {
  if (label === undefined) {
    const rules = new Map<string, Rule>();
    for (const rule of members.flatMap((policy) => policy.rules)) rules.set(textOf(rule), rule);
    return [...rules.values()];
  }
  const [oldest] = members as readonly [Policy];
  return oldest.rules.map((rule, place) => {
    const alike = members.map(({ rules }) => rules[place] as Rule);
    return {
      pod: joinSelectors(rule.pod, alike.map(({ pod }) => pod), label),
      namespace: joinSelectors(rule.namespace, alike.map(({ namespace }) => namespace), label),
      node: rule.node,
    };
  });
}

function joinSelectors(
  first: Selector | undefined,
  all: readonly (Selector | undefined)[],
  label: string,
): Selector | undefined {
  return first
    ?.map((requirement, place) => {
      if (requirement.key !== label || !isIn(requirement)) return requirement;
      const values = new Set(all.flatMap((selector) => selector?.[place]?.values ?? []));
      return { ...requirement, values: [...values].sort(compareBytes) };
    })
    .sort(compareRequirements);
}

/** Every different gateway once, in the order of the members. */
function joinGateways(members: readonly Policy[]): readonly GatewayEntry[] {
  const entries = new Map<string, GatewayEntry>();
  for (const gateway of members.flatMap(({ gateways }) => gateways)) {
    const text = textOf({ ...gateway, entry: 0 });
    if (!entries.has(text)) entries.set(text, { ...gateway, entry: entries.size });
  }
  return [...entries.values()];
}

/** What the members' names begin with, whole words only; `taken` or nothing: with an ending. */
function nameFor(members: readonly Policy[], taken: ReadonlySet<string>): string {
  const [oldest, ...others] = members.map(({ name }) => name) as [string, ...string[]];
  let length = oldest.length;
  for (const name of others) {
    while (!name.startsWith(oldest.slice(0, length))) length--;
  }
  const stem = /^(.*?)[-.]?(?:[^-.]*)$/.exec(oldest.slice(0, length))?.[1] ?? "";
  const whole = /[-.]$/.test(oldest.slice(0, length)) ? oldest.slice(0, length - 1) : stem;
  const base = whole === "" ? oldest : whole;
  const names = [base, `${base}-gateways`];
  for (let i = 2; ; i++) {
    const name = names.shift() ?? `${base}-gateways-${i}`;
    if (!taken.has(name)) return name;
  }
}

function shownLabel(label: string): string {
  const isNamespace = label.startsWith(NAMESPACE_LABEL_PREFIX);
  return isNamespace ? label.slice(NAMESPACE_LABEL_PREFIX.length) : label;
}

function compareAge(a: Policy, b: Policy): number {
  return a.createdAt - b.createdAt || compareBytes(a.name, b.name);
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
