// What the tunnel takes of a packet's room.

/** Outer IPv4 header, UDP, VXLAN and the inner Ethernet header. */
export const TUNNEL_OVERHEAD_BYTES = 20 + 8 + 8 + 14;
/** MTU of the tunnel device where none can be read: on an underlay of 1,500 bytes. */
export const TUNNEL_MTU_DEFAULT = 1500 - TUNNEL_OVERHEAD_BYTES;
