// Behind which device of this node a pod's address lives: a device of its own (ptp, Calico,
// kindnet) or a port of a bridge (bridge, flannel). Asked of routes, neighbours and bridge entries.

import { groupBy } from "../lib/group.ts";
import type { Address } from "../net/address.ts";
import { isLinkLocal } from "../net/address.ts";
import type { KernelState, Link, Route } from "../net/kernel-state.ts";
import { LpmTable } from "../net/lpm.ts";
import type { Prefix } from "../net/prefix.ts";
import { prefixAddress, prefixLength } from "../net/prefix.ts";

export interface PodDevice {
  /** The device that the pod's packets enter this node by; a port, where it has a bridge. */
  readonly ifindex: number;
  /** The interface that netfilter sees them come from; the bridge, where it has one. */
  readonly interface: string;
}

export interface PodDevices {
  /** Addresses without a certain answer are absent. */
  readonly devices: ReadonlyMap<Address, PodDevice>;
  /** Where pods' packets are to be looked at, as ifindex: the found ones and what is like them. */
  readonly attach: readonly number[];
}

/**
 * Finds the devices of pods' addresses. `attach` also has the other ports of their bridges: pods
 * that we do not know yet. A device that the node itself uses is never a pod's.
 */
export function findPodDevices(kernel: KernelState, addresses: Iterable<Address>): PodDevices {
  const view = new KernelView(kernel);
  const devices = new Map<Address, PodDevice>();
  const attach = new Set<number>();
  for (const address of addresses) {
    const place = view.placeOf(address);
    if (place?.port === undefined) continue;
    const { port, link } = place;
    devices.set(address, { ifindex: port, interface: link.name });
    attach.add(port);
    if (link.kind !== "bridge") continue;
    for (const sibling of view.podPortsOf(link.ifindex)) attach.add(sibling);
  }
  return { devices, attach: [...attach].sort((a, b) => a - b) };
}

/**
 * The addresses whose place on a bridge the kernel has not learned, or has forgotten: it learns
 * where they are when somebody talks to them.
 */
export function addressesToProbe(
  kernel: KernelState,
  addresses: Iterable<Address>,
): readonly Address[] {
  const view = new KernelView(kernel);
  return [...addresses].filter((address) => view.placeOf(address)?.learned === false);
}

interface Place {
  /** Where the route leads: the pod's own device, or a bridge. */
  readonly link: Link;
  /** The device, or the bridge's port; undefined: not a pod's, or not known. */
  readonly port: number | undefined;
  /** False for a bridge that does not know behind which port the address is. */
  readonly learned: boolean;
}

/** RT_TABLE_MAIN of linux/rtnetlink.h. */
const MAIN_TABLE = 254;
/** Kinds of devices whose other end can be in a pod. */
const POD_KINDS: ReadonlySet<string> = new Set(["veth", "netkit"]);
/** Host bits of a subnet with room for two ends only: /30 and longer, /126 and longer. */
const PAIR_BITS = 2;

/** A kernel's state, indexed for the questions above. */
class KernelView {
  readonly #links: ReadonlyMap<number, Link>;
  readonly #linksByName: ReadonlyMap<string, Link>;
  readonly #routes = new LpmTable<readonly Route[]>();
  /** `ifindex address` -> MAC. */
  readonly #macs: ReadonlyMap<string, string>;
  /** `bridge MAC` -> ports. */
  readonly #ports = new Map<string, Set<number>>();
  /** Devices and ports behind which the node's own next hops and neighbours are. */
  readonly #own: ReadonlySet<number>;

  constructor(kernel: KernelState) {
    this.#links = new Map(kernel.links.map((link) => [link.ifindex, link]));
    this.#linksByName = new Map(kernel.links.map((link) => [link.name, link]));
    const main = kernel.routes.filter(({ table }) => table === MAIN_TABLE);
    const groups = groupBy(main, ({ destination }) => destination);
    for (const [prefix, routes] of groups) this.#routes.set(prefix, routes);
    this.#macs = new Map(
      kernel.neighbours.map(({ address, ifindex, mac }) => [`${ifindex} ${address}`, mac]),
    );
    for (const { bridge, mac, port } of kernel.bridgeEntries) {
      const key = `${bridge} ${mac}`;
      this.#ports.set(key, (this.#ports.get(key) ?? new Set()).add(port));
    }
    this.#own = this.#ownDevices(kernel);
  }

  placeOf(address: Address): Place | undefined {
    const link = this.#deviceTowards(address);
    if (link === undefined) return undefined;
    if (link.kind !== "bridge") {
      return { link, port: this.#isPodEnd(link) ? link.ifindex : undefined, learned: true };
    }
    const ports = this.#portsTowards(link.ifindex, address);
    const [port, ...others] = ports;
    const end = port === undefined ? undefined : this.#links.get(port);
    const certain = end !== undefined && others.length === 0 && this.#isPodEnd(end);
    return { link, port: certain ? port : undefined, learned: ports.length > 0 };
  }

  /** The ports of a bridge that can be pods'. */
  podPortsOf(bridge: number): readonly number[] {
    const ports = [...this.#links.values()].filter(({ master }) => master === bridge);
    return ports.filter((port) => this.#isPodEnd(port)).map(({ ifindex }) => ifindex);
  }

  /** The device that the best route names, if it is one device and leads there directly. */
  #deviceTowards(address: Address): Link | undefined {
    const routes = this.#routes.lookup(address)?.value ?? [];
    const metric = Math.min(...routes.map((route) => route.metric));
    const best = routes.filter((route) => route.metric === metric);
    const [first] = best;
    if (first === undefined || best.some(({ device }) => device !== first.device)) return undefined;
    return first.via === undefined ? this.#linksByName.get(first.device) : undefined;
  }

  #portsTowards(bridge: number, address: Address): readonly number[] {
    const mac = this.#macs.get(`${bridge} ${address}`);
    return mac === undefined ? [] : [...(this.#ports.get(`${bridge} ${mac}`) ?? [])];
  }

  #isPodEnd({ ifindex, kind, peerElsewhere }: Link): boolean {
    return peerElsewhere && POD_KINDS.has(kind) && !this.#own.has(ifindex);
  }

  /** In a node that is itself a container, its uplink is a veth like any other. */
  #ownDevices({ links, routes }: KernelState): ReadonlySet<number> {
    const own = new Set<number>();
    for (const link of links) if (hasSubnet(link)) own.add(link.ifindex);
    for (const { device, destination, via } of routes) {
      const link = this.#linksByName.get(device);
      // To a pod's own address some CNIs route by a next hop in the pod.
      if (link === undefined || isHost(destination)) continue;
      if (via === undefined && prefixLength(destination) > 0) continue;
      own.add(link.ifindex);
      if (via === undefined) continue;
      for (const port of this.#portsTowards(link.ifindex, via)) own.add(port);
    }
    return own;
  }
}

/** True if the link has an address in a subnet with room for more than itself and one pod. */
function hasSubnet({ addresses }: Link): boolean {
  return addresses.some(
    ({ address, length }) => address.length * 8 - length > PAIR_BITS && !isLinkLocal(address),
  );
}

function isHost(prefix: Prefix): boolean {
  return prefixLength(prefix) === prefixAddress(prefix).length * 8;
}
