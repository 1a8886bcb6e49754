// One network interface by name, as ip(8) tells it: what a VXLAN device is made of.

import { OperationError } from "../../lib/operation-error.ts";
import { runCommand } from "./command.ts";

export interface FoundLink {
  readonly ifindex: number;
  readonly mtu: number;
  readonly up: boolean;
  readonly arp: boolean;
  /** How IPv6 link-local addresses are made; undefined: no IPv6. */
  readonly addressMode: string | undefined;
  /** Undefined: it is no VXLAN device. */
  readonly vxlan:
    | {
        /** Takes the tunnel's far end from each packet ("collect metadata"). */
        readonly external: boolean;
        /** UDP. */
        readonly port: number;
        readonly learning: boolean;
      }
    | undefined;
}

interface ListedLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly inet6_addr_gen_mode?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly external?: boolean;
      readonly port?: number;
      readonly learning?: boolean;
    };
  };
}

/** The interface, or undefined. Throws OperationError. */
export async function readLink(name: string): Promise<FoundLink | undefined> {
  let text: string;
  try {
    text = await runCommand("ip", ["-j", "-d", "link", "show", "dev", name], { target: name });
  } catch (error) {
    if (error instanceof OperationError && error.message.includes("does not exist")) {
      return undefined;
    }
    throw error;
  }
  const [link] = JSON.parse(text) as ListedLink[];
  // An alternative name finds the interface too.
  if (link === undefined || link.ifname !== name) return undefined;
  const { info_kind: kind, info_data: data } = link.linkinfo ?? {};
  const { external = false, port = 0, learning = false } = data ?? {};
  return {
    ifindex: link.ifindex,
    mtu: link.mtu,
    up: link.flags.includes("UP"),
    arp: !link.flags.includes("NOARP"),
    addressMode: link.inet6_addr_gen_mode,
    vxlan: kind === "vxlan" ? { external, port, learning } : undefined,
  };
}
