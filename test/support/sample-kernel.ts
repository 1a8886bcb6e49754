// Kernel states built by hand, for tests of what follows from them.

import type { KernelState, Link, LinkAddress, Route } from "../../src/net/kernel-state.ts";
import { prefixFamily } from "../../src/net/prefix.ts";
import { address, prefix } from "./sample-plan.ts";

type SampleAddress = readonly [text: string, more?: Partial<LinkAddress>];

/** A link that is up; addresses as in `192.0.2.1/24`, of scope global. */
export function link(
  ifindex: number,
  name: string,
  more: Partial<Omit<Link, "addresses">> & { readonly addresses?: readonly SampleAddress[] } = {},
): Link {
  const { addresses = [], ...rest } = more;
  return {
    ifindex,
    name,
    altNames: [],
    kind: "",
    mac: macOf(ifindex),
    mtu: 1500,
    up: true,
    carrier: true,
    master: 0,
    peerElsewhere: false,
    ...rest,
    addresses: addresses.map(([text, other]) => {
      const [bare = "", length] = text.split("/");
      const scope = "global";
      return { address: address(bare), length: Number(length), scope, secondary: false, ...other };
    }),
  };
}

/** A veth whose other end is in another network namespace. */
export function veth(ifindex: number, name: string, more: Parameters<typeof link>[2] = {}): Link {
  return link(ifindex, name, { kind: "veth", peerElsewhere: true, ...more });
}

/** A route of the main table, directly to the device unless `via` says more. */
export function route(
  destination: string,
  device: string,
  more: Partial<Omit<Route, "via">> & { readonly via?: string } = {},
): Route {
  const { via, ...rest } = more;
  return {
    family: prefixFamily(prefix(destination)),
    destination: prefix(destination),
    device,
    via: via === undefined ? undefined : address(via),
    metric: 0,
    table: 254,
    protocol: 2,
    ...rest,
  };
}

export function macOf(number: number): string {
  return `02:00:00:00:00:${number.toString(16).padStart(2, "0")}`;
}

/**
 * A node in a container: its uplink eth0 (2) is a veth, and cni0 (3) a bridge with the pods
 * 10.244.1.2 and fd00:1::2 behind veth2 (4), 10.244.1.3 behind veth3 (5), and veth4 (6) unknown.
 */
export function bridgeKernel(): KernelState {
  const neighbour = (text: string, ifindex: number, mac: string) => {
    return { address: address(text), ifindex, mac };
  };
  return {
    links: [
      link(1, "lo"),
      veth(2, "eth0", { addresses: [["172.18.0.2/16"]] }),
      link(3, "cni0", { kind: "bridge", addresses: [["10.244.1.1/24"], ["fd00:1::1/64"]] }),
      ...[4, 5, 6].map((ifindex) => veth(ifindex, `veth${ifindex - 2}`, { master: 3 })),
    ],
    routes: [
      route("0.0.0.0/0", "eth0", { via: "172.18.0.1" }),
      route("172.18.0.0/16", "eth0"),
      route("10.244.1.0/24", "cni0"),
      route("10.244.2.0/24", "eth0", { via: "172.18.0.3" }),
      route("fd00:1::/64", "cni0"),
    ],
    neighbours: [
      neighbour("172.18.0.1", 2, macOf(200)),
      neighbour("10.244.1.2", 3, macOf(102)),
      neighbour("fd00:1::2", 3, macOf(102)),
      neighbour("10.244.1.3", 3, macOf(103)),
    ],
    bridgeEntries: [
      { mac: macOf(102), bridge: 3, port: 4 },
      { mac: macOf(103), bridge: 3, port: 5 },
    ],
  };
}
