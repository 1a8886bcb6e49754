// How full every node's maps would be, who does not fit, and how many endpoints share an egress IP.
// One pass over the endpoints; nothing per row.

import { admit, compareDemands, type RowDemand } from "../plan/admission.ts";
import type { Capacity, EgressIPCapacity, NodeCapacity, PlanGateway } from "../plan/plan.ts";
import type { RowsMode } from "../plan/row.ts";
import type { EndpointKey } from "../model/endpoint.ts";
import type { Policy } from "../model/policy.ts";
import { compareBytes } from "../lib/order.ts";
import { present } from "../lib/assert.ts";
import type { Address } from "../net/address.ts";
import { compareAddresses, familyOf } from "../net/address.ts";
import type { Engine } from "./engine.ts";
import { comparePrecedence, type PolicyState } from "./policy-state.ts";
import type { PolicySet } from "./precedence.ts";

export interface Measured {
  readonly capacity: Capacity;
  /** By node: the endpoints that stay held there (rule 7.9); nodes where all fit are left out. */
  readonly held: ReadonlyMap<string, ReadonlySet<EndpointKey>>;
}

interface Tally {
  rowsIPv4: number;
  rowsIPv6: number;
}

/** Rows of each policy of a set for one address of each family. */
interface SetRows {
  readonly perPolicy: readonly Tally[];
  readonly total: Tally;
  /** The set's first policy by precedence: its endpoints' place in the queue for room. */
  readonly oldest: Policy | undefined;
}

interface Input {
  readonly engine: Engine;
  readonly rows: RowsMode;
  readonly mapSize: number;
  /** Every node that counts under `--rows all`. */
  readonly nodes: Iterable<string>;
  readonly gateways: ReadonlyMap<PolicyState, ReadonlyMap<number, PlanGateway>>;
}

export function measureCapacity(input: Input): Measured {
  const counter = new RowCounter(input);
  const totals = counter.perNode();
  const held = new Map<string, ReadonlySet<EndpointKey>>();
  const nodes: NodeCapacity[] = [];
  let refused: ReadonlySet<EndpointKey> | undefined;
  for (const [node, tally] of [...totals].sort((a, b) => compareBytes(a[0], b[0]))) {
    // Under `--rows all` every node has the same rows, and so the same answer.
    if (input.rows === "needed") refused = undefined;
    const full = Math.max(tally.rowsIPv4, tally.rowsIPv6) > input.mapSize;
    if (full) refused ??= refusedBy(counter.demands(node), input.mapSize);
    if (refused !== undefined && refused.size > 0) held.set(node, refused);
    nodes.push({ node, ...tally, heldEndpoints: refused?.size ?? 0 });
  }
  const { mapSize, rows } = input;
  return { capacity: { mapSize, rows, nodes, egressIPs: countEgressIPs(input) }, held };
}

function refusedBy(demands: Iterable<RowDemand>, mapSize: number): ReadonlySet<EndpointKey> {
  return new Set(admit(demands, mapSize).held.map(({ endpoint }) => endpoint));
}

class RowCounter {
  readonly #input: Input;
  readonly #sets = new Map<PolicySet, SetRows>();
  #queue: readonly { slot: number; policy: Policy }[] | undefined;
  readonly #gatewayNodes = new Map<PolicyState, ReadonlySet<string>>();

  constructor(input: Input) {
    this.#input = input;
    for (const [state, gateways] of input.gateways) {
      this.#gatewayNodes.set(state, new Set([...gateways.values()].map(({ node }) => node)));
    }
  }

  perNode(): Map<string, Tally> {
    const totals = new Map<string, Tally>();
    const everywhere: Tally = { rowsIPv4: 0, rowsIPv6: 0 };
    const { table } = this.#input.engine;
    for (const slot of table.slots()) {
      const set = table.policiesOf(slot);
      if (set.policies.length === 0) continue;
      const { perPolicy, total } = this.#setRows(set);
      const { v4, v6 } = this.#addresses(slot);
      if (this.#input.rows === "all") {
        add(everywhere, total, v4, v6);
        continue;
      }
      const { node } = table.at(slot);
      if (node !== "") add(tally(totals, node), total, v4, v6);
      for (let index = 0; index < set.policies.length; index++) {
        const state = set.policies[index] as PolicyState;
        for (const gateway of this.#gatewayNodes.get(state) ?? []) {
          if (gateway === node) continue;
          add(tally(totals, gateway), present(perPolicy[index], "a tally"), v4, v6);
        }
      }
    }
    if (this.#input.rows === "all" && everywhere.rowsIPv4 + everywhere.rowsIPv6 > 0) {
      for (const node of this.#input.nodes) totals.set(node, { ...everywhere });
    }
    for (const [node, { rowsIPv4, rowsIPv6 }] of totals) {
      if (rowsIPv4 + rowsIPv6 === 0) totals.delete(node);
    }
    return totals;
  }

  /** What every endpoint wants of one node's maps, in the queue's order. */
  *demands(node: string): Iterable<RowDemand> {
    const { table } = this.#input.engine;
    // The order is the same for every node, and sorting what is sorted costs little.
    this.#queue ??= this.#sortedSlots();
    for (const { slot, policy } of this.#queue) {
      const { policies } = table.policiesOf(slot);
      const endpoint = table.at(slot);
      const { perPolicy } = this.#setRows(table.policiesOf(slot));
      const { v4, v6 } = this.#addresses(slot);
      const wanted: Tally = { rowsIPv4: 0, rowsIPv6: 0 };
      for (const [index, state] of policies.entries()) {
        const served = this.#gatewayNodes.get(state)?.has(node) ?? false;
        if (this.#input.rows === "all" || endpoint.node === node || served) {
          add(wanted, present(perPolicy[index], "a tally"), v4, v6);
        }
      }
      if (wanted.rowsIPv4 + wanted.rowsIPv6 === 0) continue;
      yield { endpoint: endpoint.key, policy, ...wanted };
    }
  }

  #sortedSlots(): { slot: number; endpoint: EndpointKey; policy: Policy }[] {
    const { table } = this.#input.engine;
    const queue: { slot: number; endpoint: EndpointKey; policy: Policy }[] = [];
    for (const slot of table.slots()) {
      const policy = this.#setRows(table.policiesOf(slot)).oldest;
      if (policy !== undefined) queue.push({ slot, endpoint: table.at(slot).key, policy });
    }
    return queue.sort(compareDemands);
  }

  #addresses(slot: number): { v4: number; v6: number } {
    const held = this.#input.engine.table.held(slot);
    let v4 = 0;
    for (const address of held) if (familyOf(address) === "IPv4") v4++;
    return { v4, v6: held.length - v4 };
  }

  #setRows(set: PolicySet): SetRows {
    let known = this.#sets.get(set);
    if (known === undefined) {
      const perPolicy = set.policies.map(() => ({ rowsIPv4: 0, rowsIPv6: 0 }));
      for (const { index } of set.won("IPv4")) present(perPolicy[index], "a tally").rowsIPv4++;
      for (const { index } of set.won("IPv6")) present(perPolicy[index], "a tally").rowsIPv6++;
      const total = { rowsIPv4: set.won("IPv4").length, rowsIPv6: set.won("IPv6").length };
      const oldest = set.policies.map(({ policy }) => policy).sort(comparePrecedence)[0];
      this.#sets.set(set, (known = { perPolicy, total, oldest }));
    }
    return known;
  }
}

function add(sum: Tally, rows: Tally, v4: number, v6: number): void {
  sum.rowsIPv4 += rows.rowsIPv4 * v4;
  sum.rowsIPv6 += rows.rowsIPv6 * v6;
}

function tally(totals: Map<string, Tally>, node: string): Tally {
  let sum = totals.get(node);
  if (sum === undefined) totals.set(node, (sum = { rowsIPv4: 0, rowsIPv6: 0 }));
  return sum;
}

interface Counted extends EgressIPCapacity {
  endpoints: number;
  /** The slot counted last: an endpoint counts once, however many policies lead it here. */
  last: number;
}

function countEgressIPs({ engine, gateways }: Input): EgressIPCapacity[] {
  const { counted, ofGateway } = indexEgressIPs(gateways);
  for (const slot of counted.length === 0 ? [] : engine.table.slots()) {
    const held = engine.table.held(slot);
    const { policies } = engine.table.policiesOf(slot);
    for (let index = 0; index < policies.length; index++) {
      for (const one of ofGateway.get(engine.gatewayIdAt(slot, index)) ?? []) {
        if (one.last === slot || !hasFamily(held, one.egressIP)) continue;
        one.last = slot;
        one.endpoints++;
      }
    }
  }
  return counted
    .sort((a, b) => compareAddresses(a.egressIP, b.egressIP) || compareBytes(a.node, b.node))
    .map(({ egressIP, node, endpoints }) => ({ egressIP, node, endpoints }));
}

/** One counter for each egress IP of a node, and those of each gateway number. */
function indexEgressIPs(gateways: Input["gateways"]) {
  const byKey = new Map<string, Counted>();
  const ofGateway = new Map<number, Counted[]>();
  for (const planned of gateways.values()) {
    for (const [id, { egressIPs, node }] of planned) {
      const counters = (egressIPs ?? []).map((egressIP) => {
        const key = egressIP + node;
        const counter = byKey.get(key) ?? { egressIP, node, endpoints: 0, last: -1 };
        byKey.set(key, counter);
        return counter;
      });
      ofGateway.set(id, counters);
    }
  }
  return { counted: [...byKey.values()], ofGateway };
}

function hasFamily(held: readonly Address[], like: Address): boolean {
  for (const address of held) if (address.length === like.length) return true;
  return false;
}
