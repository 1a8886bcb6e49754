// The cluster as this node sees it: the model, the engine, and which pod had an address last.
// Changes go in; what the datapath needs to know comes out.

import { buildPlan } from "../../engine/build-plan.ts";
import { Engine } from "../../engine/engine.ts";
import { Cluster } from "../../model/cluster.ts";
import type { Change } from "../../model/change.ts";
import type { Endpoint, EndpointKey } from "../../model/endpoint.ts";
import type { Issue } from "../../model/issue.ts";
import type { Node } from "../../model/node.ts";
import type { ObjectChange } from "../../model/objects.ts";
import type { Distribution, Policy } from "../../model/policy.ts";
import type { Address } from "../../net/address.ts";
import { compareAddresses } from "../../net/address.ts";
import type { KernelState } from "../../net/kernel-state.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Row, RowsMode } from "../../plan/row.ts";
import type { PlacedAddress } from "../../reconcile/desired.ts";
import { desiredDatapath } from "../../reconcile/desired.ts";
import type { IndexTable } from "../../reconcile/index-table.ts";
import { findPodDevices } from "../../reconcile/pod-devices.ts";
import type { AddressOwners } from "./address-owners.ts";

export interface WorldOptions {
  readonly node: string;
  readonly rows: RowsMode;
  readonly distribution: Distribution;
  readonly mapSize: number;
  /** What counts as inside the cluster besides what objects say (rule 8.2). */
  readonly clusterCIDRs: readonly Prefix[];
}

/** Which numbers stand for gateways and egress IPs in marks, and this end of the tunnel. */
export interface Numbering {
  readonly self: Address;
  readonly gatewayIndexes: IndexTable;
  readonly egressIndexes: IndexTable;
}

/** This node's rows, those that do not fit left out (rule 7.9). */
export interface AdmittedRows {
  readonly rows: readonly Row[];
  /** Sources whose rows are left out. */
  readonly held: ReadonlySet<Address>;
}

/** The rows of this moment, and the kernel that they are for. */
export interface RowsNow {
  /** The admitted ones and lame ducks. */
  readonly rows: readonly Row[];
  readonly held: ReadonlySet<Address>;
  readonly kernel: KernelState;
}

/** What changes brought. */
export interface Taken {
  /** Addresses that passed from one endpoint to another. */
  readonly passed: readonly Address[];
  /** Names of policies that came, changed or went. */
  readonly policies: readonly string[];
}

const NONE: readonly Issue[] = [];
const NOBODY: ReadonlySet<Address> = new Set();

export class World {
  readonly #options: WorldOptions;
  readonly #cluster = new Cluster();
  readonly #engine: Engine;
  readonly #nodes = new Map<string, Node>();
  readonly #owners: AddressOwners;
  /** Of the moment since the last `take`. */
  #planned: { readonly issues: readonly Issue[]; readonly plan: Plan } | undefined;

  constructor(options: WorldOptions, owners: AddressOwners) {
    this.#options = options;
    this.#owners = owners;
    const { node, rows, distribution } = options;
    this.#engine = new Engine({ distribution, scope: { node, rows } });
  }

  /** Takes changes; says what of them others have to hear. */
  take(changes: readonly ObjectChange[]): Taken {
    this.#planned = undefined;
    const delta = this.#cluster.apply(changes);
    this.#engine.step(delta);
    for (const { key, value } of delta.nodes) {
      if (value === undefined) this.#nodes.delete(key);
      else this.#nodes.set(key, value);
    }
    // Whom we have to remember changes with what selects them, too.
    const all = delta.policies.length + delta.nodes.length > 0;
    const passed = all ? this.#noteAll() : this.#noteEach(delta.endpoints);
    return { passed, policies: delta.policies.map(({ key }) => key) };
  }

  #noteEach(endpoints: readonly Change<EndpointKey, Endpoint>[]): Address[] {
    const addresses = endpoints.flatMap(({ value }) => value?.addresses ?? []);
    return addresses.filter((address) => {
      const slot = this.#engine.table.holder(address);
      return slot !== undefined && this.#note(slot, address);
    });
  }

  /** O(endpoints). */
  #noteAll(): Address[] {
    const { table } = this.#engine;
    return [...table.slots()].flatMap((slot) =>
      table.held(slot).filter((address) => this.#note(slot, address)),
    );
  }

  /** True if somebody else had it whose flows must be forgotten (rule 8.10). */
  #note(slot: number, address: Address): boolean {
    const { table } = this.#engine;
    return this.#owners.note(address, {
      key: table.at(slot).key,
      here: table.isHere(slot),
      selected: table.policiesOf(slot).policies.length > 0,
    });
  }

  /** This node's internal IPv4 address, as far as its object is known and has one. */
  get self(): Address | undefined {
    return this.#nodes.get(this.#options.node)?.internalIPv4;
  }

  nodes(): readonly Node[] {
    return [...this.#nodes.values()];
  }

  /** Those in force, by name. */
  policies(): readonly Policy[] {
    return this.#engine.policies().map(({ policy }) => policy);
  }

  /** Where tunnel packets may come from. */
  #nodeAddresses(): Address[] {
    const addresses = [...this.#nodes.values()].map(({ internalIPv4 }) => internalIPv4);
    return addresses.filter((address) => address !== undefined);
  }

  /** What the datapath should be; undefined: nothing says what is inside the cluster (8.2). */
  datapath({ self, gatewayIndexes, egressIndexes }: Numbering, now: RowsNow) {
    const { all, pods, podsOf, known } = this.#cluster.prefixes({
      extra: this.#options.clusterCIDRs,
    });
    if (!known) return undefined;
    return desiredDatapath({
      self,
      nodes: this.#nodeAddresses(),
      prefixes: { all, pods, own: podsOf(this.#options.node) },
      endpoints: this.#placedAddresses(),
      rows: now.rows,
      held: now.held,
      kernel: now.kernel,
      pods: findPodDevices(now.kernel, this.ownAddresses().sort(compareAddresses)),
      gatewayIndexes,
      egressIndexes,
    });
  }

  /** Every address that an endpoint holds, where its node is known. O(endpoints). */
  *#placedAddresses(): Generator<PlacedAddress> {
    const { table } = this.#engine;
    for (const slot of table.slots()) {
      const node = this.#nodes.get(table.at(slot).node)?.internalIPv4;
      if (node === undefined) continue;
      for (const address of table.held(slot)) yield { address, node };
    }
  }

  /** The addresses of this node's endpoints. O(endpoints). */
  ownAddresses(): Address[] {
    const { table } = this.#engine;
    const own = [...table.slots()].filter((slot) => table.isHere(slot));
    return own.flatMap((slot) => table.held(slot));
  }

  /** True if the endpoint that holds the address lives on another node. */
  isElsewhere(address: Address): boolean {
    const slot = this.#engine.table.holder(address);
    return slot !== undefined && !this.#engine.table.isHere(slot);
  }

  admittedRows(): AdmittedRows {
    const wanted = [...this.#engine.rows()];
    // Capacity, conditions and issues are for whoever looks at them: they cost as much again.
    if (wanted.length <= this.#options.mapSize) return { rows: wanted, held: NOBODY };
    const rows = [...(this.plan(NONE).rows ?? [])];
    const admitted = new Set(rows.map(({ source }) => source));
    const held = wanted.flatMap(({ source }) => (admitted.has(source) ? [] : [source]));
    return { rows, held: new Set(held) };
  }

  /** What should be, with the rows of this node. Its streams end with the next `take`. */
  plan(issues: readonly Issue[]): Plan {
    // Whoever scrapes metrics or asks for a status does so again and again.
    if (this.#planned?.issues === issues) return this.#planned.plan;
    const { rows, mapSize } = this.#options;
    const [cluster, engine] = [this.#cluster, this.#engine];
    const plan = buildPlan({ cluster, engine, rows, mapSize, issues });
    this.#planned = { issues, plan };
    return plan;
  }
}
