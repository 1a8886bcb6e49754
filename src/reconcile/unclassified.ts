// Whose new flows wait on this node, as far as it can be told: what a person looks for when packets
// of pods are dropped as unclassified.

import type { Address } from "../net/address.ts";
import type { NodeDatapath } from "./datapath.ts";

/** What is held because it is not classified (rule 8.7): a pod's address, or a device of nobody. */
export interface Unclassified {
  /** Undefined: no pod is known behind the device. */
  readonly address: Address | undefined;
  /** 0: no device was found for the address. With both, the pod waits for its rows. */
  readonly ifindex: number;
}

/** In the datapath's own order. */
export function unclassifiedOf(datapath: NodeDatapath): Unclassified[] {
  const classified = new Set(datapath.classified.map(({ address }) => address));
  const own = datapath.endpoints.filter(({ node }) => node === datapath.self);
  const taken = new Set(own.map(({ ifindex }) => ifindex));
  const nobodys = datapath.podDevices.filter((ifindex) => !taken.has(ifindex));
  return [
    ...own
      .filter(({ address }) => !classified.has(address))
      .map(({ address, ifindex }) => ({ address, ifindex })),
    ...nobodys.map((ifindex) => ({ address: undefined, ifindex })),
  ];
}
