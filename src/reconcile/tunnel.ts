// What the tunnel takes of a packet's room.

/** Outer IPv4 header, UDP, VXLAN and the inner Ethernet header. */
const TUNNEL_OVERHEAD_BYTES = 20 + 8 + 8 + 14;

/** The tunnel device's MTU on an underlay of this one, in bytes. */
export function tunnelMtuOn(underlayMtu: number): number {
  return underlayMtu - TUNNEL_OVERHEAD_BYTES;
}
