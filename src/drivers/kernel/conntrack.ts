// Connection tracking through conntrack(8).

import { OperationError } from "../../lib/operation-error.ts";
import type { Address, Family } from "../../net/address.ts";
import { FAMILIES, familyOf, renderAddress } from "../../net/address.ts";
import { runCommand } from "./command.ts";

/** Forgets all flows that this address opened. Throws OperationError; none is no error. */
export async function deleteFlowsFrom(address: Address): Promise<void> {
  await deleteFlows(familyOf(address), ["--orig-src", renderAddress(address)]);
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
