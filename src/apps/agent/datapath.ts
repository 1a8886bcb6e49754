// The sinks of our own datapath, opened together and applied in the order that rules 7.8, 8.7 and
// 8.10 ask for: with an address that changes hands nothing begins until its former owner's flows
// are forgotten and its new rows stand; what a row needs stands before the row; a pod's flows may
// begin only when its rows stand; removals in reverse.

import type { OperationError } from "../../lib/operation-error.ts";
import { present } from "../../lib/assert.ts";
import type { Address } from "../../net/address.ts";
import type { KernelState } from "../../net/kernel-state.ts";
import type { DatapathSettings, NodeDatapath } from "../../reconcile/datapath.ts";
import { tunnelMtuOn } from "../../reconcile/tunnel.ts";
import { IndexTable } from "../../reconcile/index-table.ts";
import type { Network } from "../../sinks/network.ts";
import { openNetwork } from "../../sinks/network.ts";
import type { Nftables } from "../../sinks/nftables.ts";
import { openNftables } from "../../sinks/nftables.ts";
import type { Programs } from "../../sinks/programs.ts";
import { openPrograms } from "../../sinks/programs.ts";
import type { Desired, Step } from "./applier.ts";

const UNDERLAY_MTU_DEFAULT = 1500;

export interface DatapathOptions {
  readonly settings: DatapathSettings;
  /** The compiled programs. */
  readonly object: string;
  /** In a bpffs: ours are pinned below it. */
  readonly bpfDirectory: string;
  readonly policyMapDirectory: string;
  readonly stateDirectory: string;
}

export class Datapath {
  /** This node's end of the tunnel, as the programs were told. */
  readonly self: Address;
  readonly gatewayIndexes: IndexTable;
  readonly egressIndexes: IndexTable;
  readonly #network: Network;
  readonly #nftables: Nftables;
  readonly #programs: Programs;

  private constructor(
    self: Address,
    sinks: { network: Network; nftables: Nftables; programs: Programs },
    indexes: { gateways: IndexTable; egressIPs: IndexTable },
  ) {
    this.self = self;
    this.#network = sinks.network;
    this.#nftables = sinks.nftables;
    this.#programs = sinks.programs;
    this.gatewayIndexes = indexes.gateways;
    this.egressIndexes = indexes.egressIPs;
  }

  /** Opens the sinks, and takes over what an earlier process left. Throws OperationError. */
  static async open(
    options: DatapathOptions,
    self: Address,
    { links }: KernelState,
  ): Promise<Datapath> {
    const { settings, object, stateDirectory, policyMapDirectory } = options;
    const programs = openPrograms({
      object,
      directory: options.bpfDirectory,
      policyMapDirectory,
      settings,
      self,
      // Programs of an earlier life may hang on devices that nobody wants any more.
      devices: links.map(({ ifindex }) => ifindex),
    });
    try {
      const indexes = {
        gateways: new IndexTable(await programs.gatewayIndexes()),
        egressIPs: new IndexTable(await programs.egressIndexes()),
      };
      const network = openNetwork({ settings, stateDirectory });
      return new Datapath(self, { network, nftables: openNftables(settings), programs }, indexes);
    } catch (error) {
      programs.close();
      throw error;
    }
  }

  /** What to do for a state; `writeRows` stands where rows may be written. */
  steps(writeRows: Step): Step[] {
    const step = (
      name: string,
      act: (datapath: NodeDatapath, run: Desired & { passed: readonly Address[] }) => unknown,
    ): Step => ({
      name,
      async act(desired, passed) {
        const datapath = present(desired.datapath, "the datapath of a node that has one");
        await act(datapath, { ...desired, passed });
      },
    });
    let tunnel = 0;
    return [
      step("tunnel", async ({ self }, { kernel }) => {
        tunnel = await this.#network.ensureTunnel(underlayMtu(kernel, self), kernel.links);
      }),
      step("routes", (datapath, { kernel }) => {
        return this.#network.apply(datapath, kernel, { prune: false });
      }),
      // A pod's flows begin only when its rows stand, so nothing new is classified yet.
      step("guards", (datapath, { kernel, passed: passing }) => {
        const tunnelMtu = tunnelMtuOn(underlayMtu(kernel, datapath.self));
        const how = { prune: false, tunnelMtu, passing };
        return this.#nftables.apply({ ...datapath, classified: [] }, how);
      }),
      step("forget", ({ clusterPrefixes: inside }, { passed }) => {
        return this.#network.forget(passed, { inside });
      }),
      step("maps", async (datapath) => {
        checked(await this.#programs.apply(datapath, { prune: false }));
      }),
      step("attach", async ({ podDevices }) => {
        const { failed } = this.#programs.attach({ tunnel, pods: podDevices });
        for (const { error } of failed) throw error;
      }),
      writeRows,
      step("classify", (datapath, { kernel, prune }) => {
        const tunnelMtu = tunnelMtuOn(underlayMtu(kernel, datapath.self));
        return this.#nftables.apply(datapath, { prune, tunnelMtu });
      }),
      step("prune maps", async (datapath, { prune }) => {
        checked(await this.#programs.apply(datapath, { prune }));
      }),
      step("prune routes", (datapath, { kernel, prune }) => {
        return this.#network.apply(datapath, kernel, { prune });
      }),
    ];
  }

  /** Packets by reason, of programs and of nftables. */
  async counters(): Promise<Map<string, number>> {
    return new Map([...(await this.#programs.counters()), ...(await this.#nftables.counters())]);
  }

  /** Somebody else may have changed something: the next run looks, and puts it right. */
  async doubt(): Promise<void> {
    this.#network.doubt();
    this.#programs.doubt();
    // Reading the table anew costs more than to ask whether it is as we wrote it.
    await this.#nftables.verify();
  }

  /** Lets go of it; it keeps forwarding. */
  close(): void {
    this.#programs.close();
  }
}

/** Throws the first failure of an outcome that a sink returns instead of throwing it. */
export function checked(
  outcomes: readonly { readonly error: OperationError | undefined }[],
): void {
  for (const { error } of outcomes) if (error !== undefined) throw error;
}

function underlayMtu({ links }: KernelState, self: Address): number {
  const owner = links.find(({ addresses }) => addresses.some(({ address }) => address === self));
  return owner?.mtu ?? UNDERLAY_MTU_DEFAULT;
}
