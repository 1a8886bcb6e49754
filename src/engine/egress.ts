// Which egress IPs a gateway entry has on its node: rule 6, a pure function of what the node has.

import type { Address, Family } from "../net/address.ts";
import { familyOf, isLinkLocal, renderAddress } from "../net/address.ts";
import type { NodeInterface, NodeState } from "../model/node.ts";
import type { GatewayEntry } from "../model/policy.ts";

export interface Egress {
  /** One for each needed family that has one; a family that is absent drops (rule 6.5). */
  readonly addresses: Readonly<Partial<Record<Family, Address>>>;
  /** 0 where the row carries none (rule 6.6). */
  readonly ifindex: number;
  /** The device; empty when none was found. */
  readonly interface: string;
  /** Why a needed family has no egress IP; undefined when all have one. */
  readonly problem: string | undefined;
}

/** `undefined`: what the node has is not known (rule 6.8), which is not the same as none. */
export function deriveEgress(
  entry: GatewayEntry,
  needed: readonly Family[],
  state: NodeState | undefined,
): Egress | undefined {
  if (state === undefined) return undefined;
  if (entry.interface !== "") return fromInterface(entry.interface, needed, state);
  if (entry.egressIP !== undefined) return fromEgressIP(entry.egressIP, needed, state);
  return fromDefaultRoute(needed, state);
}

/** Rule 6.1: a missing needed family means that no family has an egress IP. */
function fromInterface(name: string, needed: readonly Family[], state: NodeState): Egress {
  const device = findInterface(name, state);
  if (device === undefined) return none(`the node has no interface ${name}`);
  return primaries(device, needed);
}

function primaries(device: NodeInterface, needed: readonly Family[]): Egress {
  const addresses: Partial<Record<Family, Address>> = {};
  for (const family of needed) {
    const address = primaryAddress(device, family);
    if (address === undefined) return none(missing(device, family), device);
    addresses[family] = address;
  }
  return { addresses, ifindex: device.ifindex, interface: device.name, problem: undefined };
}

/** Rule 6.2: the owner's other needed family fails alone. */
function fromEgressIP(egressIP: Address, needed: readonly Family[], state: NodeState): Egress {
  const device = state.interfaces.find(({ addresses }) => addresses.includes(egressIP));
  if (device === undefined) return none(`no interface has the egressIP ${renderAddress(egressIP)}`);
  const addresses: Partial<Record<Family, Address>> = {};
  let problem: string | undefined;
  for (const family of needed) {
    const own = familyOf(egressIP) === family;
    const address = own ? egressIP : primaryAddress(device, family);
    if (address === undefined) problem = missing(device, family);
    else addresses[family] = address;
  }
  return { addresses, ifindex: 0, interface: device.name, problem };
}

/** Rule 6.3: the default routes of all needed families must use one device. */
function fromDefaultRoute(needed: readonly Family[], state: NodeState): Egress {
  const names = needed.map(
    (family) => state.defaultRoutes.find((route) => route.family === family)?.interface,
  );
  const first = names.find((name) => name !== undefined);
  if (first === undefined) return none("the node has no default route");
  // The IPv4 route comes first in `needed`, so its device is the one that a row names.
  const device = findInterface(first, state);
  if (device === undefined) return none(`the default route's interface ${first} is not known`);
  const absent = needed.find((_, i) => names[i] === undefined);
  if (absent !== undefined) return none(`the node has no ${absent} default route`, device);
  // Routes may name one device by different names.
  const other = names.find((name = "") => findInterface(name, state) !== device);
  if (other !== undefined) {
    return none(`the default routes use different interfaces: ${first}, ${other}`, device);
  }
  return primaries(device, needed);
}

function findInterface(name: string, state: NodeState): NodeInterface | undefined {
  const { interfaces } = state;
  return (
    interfaces.find((device) => device.name === name) ??
    interfaces.find((device) => device.altNames.includes(name))
  );
}

function primaryAddress(device: NodeInterface, family: Family): Address | undefined {
  return device.addresses.find(
    (address) => familyOf(address) === family && !isLinkLocal(address),
  );
}

function missing(device: NodeInterface, family: Family): string {
  return `interface ${device.name} has no ${family} address`;
}

function none(problem: string, device?: NodeInterface): Egress {
  const ifindex = device?.ifindex ?? 0;
  return { addresses: {}, ifindex, interface: device?.name ?? "", problem };
}
