// Which node each gateway entry resolves to: the first by name that matches and has an internal
// IPv4 address (rule 4.1). Remembered per distinct nodeSelector.

import { compareBytes, lowerBound } from "../lib/order.ts";
import type { Change } from "../model/change.ts";
import type { Node } from "../model/node.ts";
import type { GatewayEntry } from "../model/policy.ts";
import type { Selector } from "../model/selector.ts";
import { selectorMatches } from "../model/selector.ts";
import type { Gateway } from "./gateway.ts";
import { compareGateways, makeGateway } from "./gateway.ts";

interface Resolution<P> {
  readonly selector: Selector;
  winner: string | undefined;
  readonly users: Set<P>;
}

export class Resolver<P> {
  readonly #nodes = new Map<string, Node>();
  /** Names of the nodes that can be gateways, sorted. */
  readonly #names: string[] = [];
  readonly #resolutions = new Map<string, Resolution<P>>();

  /** Makes `user` hear of changes to these entries' nodes. */
  watch(user: P, entries: readonly GatewayEntry[]): void {
    for (const { nodeSelector } of entries) this.#resolution(nodeSelector).users.add(user);
  }

  unwatch(user: P, entries: readonly GatewayEntry[]): void {
    for (const { nodeSelector } of entries) {
      const { users } = this.#resolution(nodeSelector);
      users.delete(user);
      if (users.size === 0) this.#resolutions.delete(JSON.stringify(nodeSelector));
    }
  }

  /** The gateways of these entries, in rule 5.1's order; those that resolve to nothing are out. */
  resolve(entries: readonly GatewayEntry[]): Gateway[] {
    const gateways: Gateway[] = [];
    for (const entry of entries) {
      const { winner } = this.#resolution(entry.nodeSelector);
      const ip = winner === undefined ? undefined : this.#nodes.get(winner)?.internalIPv4;
      if (winner !== undefined && ip !== undefined) gateways.push(makeGateway(entry, winner, ip));
    }
    return gateways.sort(compareGateways);
  }

  /** Takes node changes; gives the users whose gateways may differ. O(nodes x selectors). */
  apply(changes: readonly Change<string, Node>[]): Set<P> {
    const affected = new Set<P>();
    for (const { key, value } of changes) {
      const old = this.#nodes.get(key);
      if (value === undefined) this.#nodes.delete(key);
      else this.#nodes.set(key, value);
      this.#noteName(key, value?.internalIPv4 !== undefined);
      const moved = old?.internalIPv4 !== value?.internalIPv4;
      for (const resolution of this.#resolutions.values()) {
        const before = resolution.winner;
        this.#reconsider(resolution, key, value);
        const changed = resolution.winner !== before || (before === key && moved);
        if (changed) for (const user of resolution.users) affected.add(user);
      }
    }
    return affected;
  }

  #reconsider(resolution: Resolution<P>, name: string, node: Node | undefined): void {
    const eligible =
      node?.internalIPv4 !== undefined && selectorMatches(resolution.selector, node.labels);
    const { winner } = resolution;
    if (eligible && (winner === undefined || compareBytes(name, winner) < 0)) {
      resolution.winner = name;
    } else if (!eligible && winner === name) {
      resolution.winner = this.#first(resolution.selector);
    }
  }

  #resolution(selector: Selector): Resolution<P> {
    const text = JSON.stringify(selector);
    let resolution = this.#resolutions.get(text);
    if (resolution === undefined) {
      resolution = { selector, winner: this.#first(selector), users: new Set() };
      this.#resolutions.set(text, resolution);
    }
    return resolution;
  }

  #first(selector: Selector): string | undefined {
    return this.#names.find((name) => {
      const node = this.#nodes.get(name);
      return node !== undefined && selectorMatches(selector, node.labels);
    });
  }

  #noteName(name: string, eligible: boolean): void {
    const place = lowerBound(this.#names, name, compareBytes);
    const there = this.#names[place] === name;
    if (eligible && !there) this.#names.splice(place, 0, name);
    if (!eligible && there) this.#names.splice(place, 1);
  }
}
