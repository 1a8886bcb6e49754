// What a node's kernel has, as rule 6 asks for it: interfaces, their addresses, default routes.

import type { Address } from "../net/address.ts";
import { FAMILIES, isLinkLocal } from "../net/address.ts";
import type { KernelState, Link, LinkAddress, Route } from "../net/kernel-state.ts";
import { prefixLength } from "../net/prefix.ts";
import type { NodeState } from "../model/node.ts";

/** RT_TABLE_MAIN of linux/rtnetlink.h. */
const MAIN_TABLE = 254;

/**
 * The state of the node `name`. An interface's addresses are those that can be seen outside: the
 * primary ones first, so that rule 6.1 finds the first of these and rule 6.2 also the others.
 */
export function nodeStateOf(name: string, kernel: KernelState): NodeState {
  return {
    name,
    interfaces: kernel.links.map((link) => ({
      name: link.name,
      ifindex: link.ifindex,
      altNames: link.altNames,
      addresses: addressesOf(link),
    })),
    defaultRoutes: FAMILIES.flatMap((family) => {
      const routes = kernel.routes.filter((route) => route.family === family && isDefault(route));
      // The sort is stable: of routes with one metric the kernel's first counts.
      routes.sort((a, b) => a.metric - b.metric);
      return routes.map(({ device }) => ({ family, interface: device }));
    }),
  };
}

function addressesOf({ addresses }: Link): Address[] {
  const seen = addresses.filter(({ address, scope }) => scope !== "host" && !isLinkLocal(address));
  const ranked = [0, 1, 2].flatMap((rank) => seen.filter((one) => rankOf(one) === rank));
  return ranked.map(({ address }) => address);
}

/** The kernel never chooses an address of scope link for traffic to the outside. */
function rankOf({ scope, secondary }: LinkAddress): number {
  if (scope === "link") return 2;
  return secondary ? 1 : 0;
}

function isDefault({ table, destination }: Route): boolean {
  return table === MAIN_TABLE && prefixLength(destination) === 0;
}
