// The tunnel device: VXLAN that takes its far end from each packet. It has no address and resolves
// none; our programs on it say where packets go. It outlives the process, and its ifindex stays as
// long as it can be repaired.

import { runCommand } from "../drivers/kernel/command.ts";
import type { FoundLink } from "../drivers/kernel/ip-link.ts";
import { readLink } from "../drivers/kernel/ip-link.ts";
import { present } from "../lib/assert.ts";
import { OperationError } from "../lib/operation-error.ts";
import type { DatapathSettings } from "../reconcile/datapath.ts";
import { tunnelMtuOn } from "../reconcile/tunnel.ts";

/** Makes or repairs it and gives its ifindex; see Network.ensureTunnel. */
export async function ensureTunnel(
  { tunnelDevice: name, tunnelPort }: DatapathSettings,
  underlayMtu: number,
): Promise<number> {
  const mtu = tunnelMtuOn(underlayMtu);
  const found = await readLink(name);
  if (found !== undefined && !isOurs(found)) {
    const detail = "a network interface of this name is there, and it is no VXLAN device of ours";
    throw new OperationError({ code: "ForeignDevice", op: "ip link", target: name, detail });
  }
  const { vxlan } = found ?? {};
  // What it was made with cannot be changed.
  const kept = vxlan !== undefined && vxlan.port === tunnelPort && !vxlan.learning;
  if (found !== undefined && !kept) await runLink(name, ["del", "dev", name]);
  if (!kept) {
    const kind = ["type", "vxlan", "external", "dstport", String(tunnelPort), "nolearning"];
    await runLink(name, ["add", "name", name, ...kind]);
  }
  const link = present(kept ? found : await readLink(name), "the device that was just made");
  const differences = repairs(link, mtu);
  if (differences.length > 0) await runLink(name, ["set", "dev", name, ...differences]);
  // By itself: in one request the kernel would do this first, and make a link-local address.
  if (!link.up) await runLink(name, ["set", "dev", name, "up"]);
  return link.ifindex;
}

/** Whether there is a device of this name that an agent made. */
export async function isOurTunnel(name: string): Promise<boolean> {
  const found = await readLink(name);
  return found !== undefined && isOurs(found);
}

function isOurs({ vxlan }: FoundLink): boolean {
  return vxlan?.external === true;
}

function repairs({ addressMode, mtu, arp }: FoundLink, wantedMtu: number): string[] {
  const words: string[] = [];
  // No link-local address: nothing of the kernel's own goes into the tunnel.
  if (addressMode !== undefined && addressMode !== "none") words.push("addrgenmode", "none");
  if (mtu !== wantedMtu) words.push("mtu", String(wantedMtu));
  if (arp) words.push("arp", "off");
  return words;
}

async function runLink(name: string, args: readonly string[]): Promise<void> {
  try {
    await runCommand("ip", ["link", ...args], { target: name });
  } catch (error) {
    // Another device with the port and VNI 0 is refused when ours is made, a socket when it is up.
    const taken = /Address already in use|specified VNI already exists/;
    if (!(error instanceof OperationError) || !taken.test(error.message)) throw error;
    throw new OperationError({ code: "PortTaken", op: "ip link", target: name, cause: error });
  }
}
