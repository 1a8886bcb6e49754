// Packets made by hand, from the IP header on, with checksums that the kernel's connection tracking
// accepts. Addresses and flags are whatever the caller wants.

import { addressBytes, isV6 } from "./netns-socket.ts";
import { ethernet, frame } from "./program-run.ts";

const ETHERNET_BYTES = 14;
const PROTOCOL = { tcp: 6, udp: 17, icmp: 1, icmpV6: 58 } as const;
const ETH_P = { IPv4: 0x0800, IPv6: 0x86dd } as const;

export const TCP = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

/** Who sends to whom. */
export interface Ends {
  readonly from: string;
  readonly to: string;
  readonly sourcePort: number;
  readonly port: number;
}

export interface Segment extends Ends {
  /** A sum of `TCP`. */
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledge?: number;
  readonly data?: Buffer;
}

/** An IP packet with a TCP segment. */
export function tcpPacket(segment: Segment): Buffer {
  const { sourcePort, port, flags, sequence = 1000, acknowledge = 0 } = segment;
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(acknowledge >>> 0, 8);
  header[12] = 5 << 4;
  header[13] = flags;
  header.writeUInt16BE(64_000, 14);
  const bytes = Buffer.concat([header, segment.data ?? Buffer.alloc(0)]);
  return ipPacket(segment, PROTOCOL.tcp, withChecksum(segment, PROTOCOL.tcp, bytes, 16));
}

/** An IP packet with a UDP datagram. */
export function udpPacket(ends: Ends, data: Buffer = Buffer.from("by hand")): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(ends.sourcePort, 0);
  header.writeUInt16BE(ends.port, 2);
  header.writeUInt16BE(8 + data.length, 4);
  const bytes = Buffer.concat([header, data]);
  return ipPacket(ends, PROTOCOL.udp, withChecksum(ends, PROTOCOL.udp, bytes, 6));
}

/** Types of ICMP messages, of both families. */
const ICMP_TYPE = {
  echo: { IPv4: 8, IPv6: 128 },
  echoReply: { IPv4: 0, IPv6: 129 },
  unreachable: { IPv4: 3, IPv6: 1 },
} as const;

export interface IcmpMessage {
  readonly from: string;
  readonly to: string;
  readonly type: keyof typeof ICMP_TYPE;
  /** Of an echo; unused in errors. */
  readonly identifier?: number;
  /** Of an error: the packet that it is about. */
  readonly data?: Buffer;
}

/** An IP packet with an ICMP message. */
export function icmpPacket(message: IcmpMessage): Buffer {
  const protocol = isV6(message.to) ? PROTOCOL.icmpV6 : PROTOCOL.icmp;
  return ipPacket(message, protocol, icmpBytes(message));
}

/** The message alone, as sockets of the kind `icmp` send it. */
export function icmpBytes(message: IcmpMessage): Buffer {
  const { type, identifier = 0, data = Buffer.from("by hand") } = message;
  const v6 = isV6(message.to);
  const header = Buffer.alloc(8);
  header[0] = ICMP_TYPE[type][v6 ? "IPv6" : "IPv4"];
  // Port unreachable.
  if (type === "unreachable") header[1] = v6 ? 4 : 3;
  header.writeUInt16BE(identifier, 4);
  const bytes = Buffer.concat([header, data]);
  if (v6) return withChecksum(message, PROTOCOL.icmpV6, bytes, 2);
  bytes.writeUInt16BE(checksum(bytes), 2);
  return bytes;
}

/** What a UDP datagram to the tunnel's port carries: the VXLAN header and the inner frame. */
export function vxlanPayload(vni: number, inner: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x08;
  header.writeUInt32BE((vni << 8) >>> 0, 4);
  const v6 = (inner[0] as number) >> 4 === 6;
  return Buffer.concat([header, ethernet(v6 ? ETH_P.IPv6 : ETH_P.IPv4, inner)]);
}

function ipPacket({ from, to }: Pick<Ends, "from" | "to">, protocol: number, payload: Buffer) {
  const packet = frame({ from, to, protocol, payload }).subarray(ETHERNET_BYTES);
  // The kernel does it for a raw socket, but not for what is inside of a tunnel.
  if (!isV6(from)) packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10);
  return packet;
}

/** The checksum at `at`, over the pseudo header of the family too. */
function withChecksum(
  { from, to }: Pick<Ends, "from" | "to">,
  protocol: number,
  bytes: Buffer,
  at: number,
): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(bytes.length, 0);
  tail.writeUInt32BE(protocol, 4);
  const pseudo = Buffer.concat([addressBytes(from), addressBytes(to), tail]);
  bytes.writeUInt16BE(checksum(Buffer.concat([pseudo, bytes])), at);
  return bytes;
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  if (bytes.length % 2 === 1) sum += (bytes.at(-1) as number) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff || 0xffff;
}

/** The same packet with so many hops left; a raw socket of IPv4 lets the kernel sum it anew. */
export function withTtl(packet: Buffer, hops: number): Buffer {
  const changed = Buffer.from(packet);
  changed[(packet[0] as number) >> 4 === 6 ? 7 : 8] = hops;
  return changed;
}
