// Sends whole IP packets, whatever they say, from another network namespace: a socket belongs to
// the namespace in which it was made.

import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import { errnoName } from "../../src/lib/operation-error.ts";
import type { Frame } from "./program-run.ts";
import { frame } from "./program-run.ts";

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
/** The packet brings its own header (raw(7)). */
const IPPROTO_RAW = 255;
const ETHERNET_BYTES = 14;

const libc = koffi.load("libc.so.6");
const setns = libc.func("int setns(int, int)");
const socket = libc.func("int socket(int, int, int)");
const sendto = libc.func("long sendto(int, void *, size_t, int, void *, unsigned int)");

/** Sends each packet once, in the network namespace at `path`. */
export function sendPackets(path: string, packets: readonly Frame[]): void {
  const home = openSync("/proc/self/ns/net", "r");
  const away = openSync(path, "r");
  try {
    check("setns", setns(away, CLONE_NEWNET));
    try {
      for (const packet of packets) send(packet);
    } finally {
      check("setns", setns(home, CLONE_NEWNET));
    }
  } finally {
    closeSync(away);
    closeSync(home);
  }
}

function send(packet: Frame): void {
  const bytes = frame(packet).subarray(ETHERNET_BYTES);
  const v6 = packet.to.includes(":");
  // struct sockaddr_in and sockaddr_in6: the family, then the destination at 4 or 8.
  const to = Buffer.alloc(v6 ? 28 : 16);
  to.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
  if (v6) bytes.copy(to, 8, 24, 40);
  else bytes.copy(to, 4, 16, 20);
  const fd = check("socket", socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW));
  try {
    check("sendto", sendto(fd, bytes, bytes.length, 0, to, to.length));
  } finally {
    closeSync(fd);
  }
}

function check(call: string, returned: unknown): number {
  const result = Number(returned);
  if (result < 0) throw new Error(`${call}: ${errnoName(-koffi.errno())}`);
  return result;
}

/** A datagram without a checksum, which IPv4 allows and connection tracking takes. */
export function udpBytes(sourcePort: number, port: number, dataBytes = 8): Buffer {
  const datagram = Buffer.alloc(8 + dataBytes);
  datagram.writeUInt16BE(sourcePort, 0);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  return datagram;
}

/** What begins an association of SCTP (RFC 9260, 3.3.2). */
export function sctpInit(sourcePort: number, port: number): Buffer {
  const packet = Buffer.alloc(32);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(port, 2);
  packet.writeUInt8(1, 12);
  packet.writeUInt16BE(20, 14);
  packet.writeUInt32BE(0x1234, 16);
  packet.writeUInt32BE(65_536, 20);
  packet.writeUInt16BE(1, 24);
  packet.writeUInt16BE(1, 26);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** RFC 9260, appendix A. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
