// Connection tracking through conntrack(8).

import { OperationError } from "../../lib/operation-error.ts";
import type { Address } from "../../net/address.ts";
import { familyOf, renderAddress } from "../../net/address.ts";
import { runCommand } from "./command.ts";

/** Forgets all flows that this address opened. Throws OperationError; none is no error. */
export async function deleteFlowsFrom(address: Address): Promise<void> {
  const family = familyOf(address) === "IPv4" ? "ipv4" : "ipv6";
  const source = renderAddress(address);
  try {
    await runCommand("conntrack", ["-D", "-f", family, "--orig-src", source]);
  } catch (error) {
    // Its exit status says that it found none.
    const none = error instanceof OperationError && /\b0 flow entries/.test(error.message);
    if (!none) throw error;
  }
}
