// Which policies select an endpoint: a function of its label set and of its node's labels (rules
// 3.3, 3.4), remembered per distinct pair, never computed per endpoint.

import { present } from "../lib/assert.ts";
import type { Labels } from "../model/labels.ts";
import { NO_LABELS } from "../model/labels.ts";
import { selectorMatches } from "../model/selector.ts";
import { NO_POLICIES, PolicySet } from "./precedence.ts";
import type { PolicyState } from "./policy-state.ts";
import { RuleIndex, podPart } from "./rule-index.ts";

/** A label set that some endpoint has. */
export interface LabelState {
  readonly labels: Labels;
  /** Policies of which some rule's pod part matches, sorted by number. */
  selected: readonly PolicyState[];
  endpoints: number;
  /** The final sets, by the node's class. */
  readonly sets: Map<string, PolicySet>;
}

/** A node that exists or that some endpoint names. */
interface NodeMatch {
  labels: Labels;
  /** Numbers of the policies with nodeSelectors that match this node, joined: its class. */
  class: string;
  known: boolean;
  endpoints: number;
}

export class Matcher {
  readonly #rules = new RuleIndex<PolicyState>();
  readonly #labelStates = new Map<Labels, LabelState>();
  readonly #nodes = new Map<string, NodeMatch>();
  /** Policies with nodeSelectors. */
  readonly #pooled = new Set<PolicyState>();
  readonly #sets = new Map<string, PolicySet>([["", NO_POLICIES]]);

  /** Files an endpoint's label set; release it with `releaseLabels`. */
  acquireLabels(labels: Labels): LabelState {
    let state = this.#labelStates.get(labels);
    if (state === undefined) {
      const selected = [...this.#rules.matching(labels)].sort((a, b) => a.number - b.number);
      state = { labels, selected, endpoints: 0, sets: new Map() };
      this.#labelStates.set(labels, state);
    }
    state.endpoints++;
    return state;
  }

  releaseLabels(state: LabelState): void {
    if (--state.endpoints === 0) this.#labelStates.delete(state.labels);
  }

  acquireNode(name: string): void {
    this.#node(name).endpoints++;
  }

  releaseNode(name: string): void {
    const node = present(this.#nodes.get(name), "a node that an endpoint names");
    node.endpoints--;
    this.#forgetNode(name, node);
  }

  /** The policies of endpoints with these labels on this node. */
  policies(labels: LabelState, nodeName: string): PolicySet {
    const node = present(this.#nodes.get(nodeName), "a node that an endpoint names");
    let set = labels.sets.get(node.class);
    if (set === undefined) {
      const kept = labels.selected.filter(
        (state) => !this.#pooled.has(state) || matchesNode(state, node.labels),
      );
      set = this.#intern(kept);
      labels.sets.set(node.class, set);
    }
    return set;
  }

  /** Sets or (undefined) removes a node's labels; true if its endpoints may change policies. */
  setNode(name: string, labels: Labels | undefined): boolean {
    const node = this.#node(name);
    node.labels = labels ?? NO_LABELS;
    node.known = labels !== undefined;
    const before = node.class;
    node.class = this.#classOf(node.labels);
    this.#forgetNode(name, node);
    return node.class !== before;
  }

  /** Files a policy; gives the label sets that it selects. O(label sets). */
  addPolicy(state: PolicyState): Set<LabelState> {
    this.#rules.add(state, state.policy.rules);
    const parts = state.policy.rules.map(podPart);
    const affected = new Set<LabelState>();
    for (const labels of this.#labelStates.values()) {
      if (!parts.some((selector) => selectorMatches(selector, labels.labels))) continue;
      labels.selected = [...labels.selected, state].sort((a, b) => a.number - b.number);
      affected.add(labels);
    }
    this.#pool(state, true, affected);
    return affected;
  }

  /** Forgets a policy; gives the label sets that it selected. */
  removePolicy(state: PolicyState): Set<LabelState> {
    this.#rules.remove(state, state.policy.rules);
    const affected = new Set<LabelState>();
    for (const labels of this.#labelStates.values()) {
      if (!labels.selected.includes(state)) continue;
      labels.selected = labels.selected.filter((other) => other !== state);
      affected.add(labels);
    }
    this.#pool(state, false, affected);
    for (const [text, set] of this.#sets) {
      if (set.policies.includes(state)) this.#sets.delete(text);
    }
    return affected;
  }

  /** A policy with nodeSelectors changes the class of the nodes that it matches. */
  #pool(state: PolicyState, there: boolean, affected: ReadonlySet<LabelState>): void {
    for (const labels of affected) labels.sets.clear();
    if (state.nodeSelectors.length === 0) return;
    if (there) this.#pooled.add(state);
    else this.#pooled.delete(state);
    for (const node of this.#nodes.values()) node.class = this.#classOf(node.labels);
    // Class names are made of policy numbers, which are reused.
    for (const labels of this.#labelStates.values()) labels.sets.clear();
  }

  #classOf(labels: Labels): string {
    const matching = [...this.#pooled].filter((state) => matchesNode(state, labels));
    return matching.map(({ number }) => number).join(",");
  }

  #node(name: string): NodeMatch {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      const labels = NO_LABELS;
      node = { labels, class: this.#classOf(labels), known: false, endpoints: 0 };
      this.#nodes.set(name, node);
    }
    return node;
  }

  #forgetNode(name: string, node: NodeMatch): void {
    if (!node.known && node.endpoints === 0) this.#nodes.delete(name);
  }

  #intern(policies: readonly PolicyState[]): PolicySet {
    const text = policies.map(({ number }) => number).join(",");
    let set = this.#sets.get(text);
    if (set === undefined) this.#sets.set(text, (set = new PolicySet(policies)));
    return set;
  }
}

/** Rule 3.4: the nodeSelectors of all rules are pooled. */
function matchesNode(state: PolicyState, labels: Labels): boolean {
  return state.nodeSelectors.some((selector) => selectorMatches(selector, labels));
}
