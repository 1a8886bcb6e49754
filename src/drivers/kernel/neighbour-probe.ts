// Makes the kernel find out where addresses are: it asks for the MAC address of whom it has to send
// something to.

import { createSocket } from "node:dgram";
import type { Address, Family } from "../../net/address.ts";
import { FAMILIES, familyOf, renderAddress } from "../../net/address.ts";

/** Discard (RFC 863): nobody answers, and nobody minds. */
const DISCARD_PORT = 9;
const NOTHING = Buffer.alloc(1);

/**
 * Sends one datagram to each address. What the kernel learns shows in its next list; addresses that
 * cannot be reached are passed over. Never throws.
 */
export async function probeNeighbours(addresses: readonly Address[]): Promise<void> {
  await Promise.all(FAMILIES.map((family) => probeFamily(family, addresses)));
}

async function probeFamily(family: Family, addresses: readonly Address[]): Promise<void> {
  const own = addresses.filter((address) => familyOf(address) === family);
  if (own.length === 0) return;
  const socket = createSocket(family === "IPv4" ? "udp4" : "udp6");
  // A kernel without this family has no such neighbours either.
  socket.on("error", () => undefined);
  const sent = own.map(
    (address) =>
      new Promise<void>((resolve) => {
        socket.send(NOTHING, DISCARD_PORT, renderAddress(address), () => resolve());
      }),
  );
  await Promise.all(sent);
  await new Promise<void>((resolve) => socket.close(() => resolve()));
}
