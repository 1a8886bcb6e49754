// Connection tracking through conntrack(8).

import { OperationError } from "../../lib/operation-error.ts";
import type { Address, Family } from "../../net/address.ts";
import { FAMILIES, familyOf, parseAddress, renderAddress } from "../../net/address.ts";
import { runCommand } from "./command.ts";

/** Each costs a walk over the whole table; of more destinations all flows go, wanted or not. */
const DESTINATIONS_MAX = 64;

/**
 * Forgets the flows that this address opened to destinations that are `wanted`, which are asked for
 * as the pod named them. Throws OperationError; none is no error.
 */
export async function deleteFlowsFrom(
  address: Address,
  wanted: (destination: Address) => boolean,
): Promise<void> {
  const family = familyOf(address);
  const source = ["--orig-src", renderAddress(address)];
  const text = await runCommand("conntrack", ["-L", "-f", family.toLowerCase(), ...source]);
  const destinations = [...destinationsIn(text)].filter(wanted);
  if (destinations.length > DESTINATIONS_MAX) return deleteFlows(family, source);
  for (const destination of destinations) {
    await deleteFlows(family, [...source, "--orig-dst", renderAddress(destination)]);
  }
}

/** `tcp 6 60 SYN_SENT src=10.0.0.1 dst=192.0.2.1 sport=1 dport=2 ... src=...`: each first one. */
function destinationsIn(text: string): Set<Address> {
  const found = new Set<Address>();
  for (const line of text.split("\n")) {
    const destination = parseAddress(/\bdst=(\S+)/.exec(line)?.[1] ?? "");
    if (destination !== undefined) found.add(destination);
  }
  return found;
}

/** Forgets all flows whose mark has these bits under the mask. Throws OperationError. */
export async function deleteFlowsMarked(bits: number, mask: number): Promise<void> {
  for (const family of FAMILIES) await deleteFlows(family, ["--mark", `${bits}/${mask}`]);
}

async function deleteFlows(family: Family, filter: readonly string[]): Promise<void> {
  try {
    await runCommand("conntrack", ["-D", "-f", family.toLowerCase(), ...filter]);
  } catch (error) {
    // Its exit status says that it found none.
    const none = error instanceof OperationError && /\b0 flow entries/.test(error.message);
    if (!none) throw error;
  }
}
