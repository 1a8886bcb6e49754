// Sockets of this process in other network namespaces, through libc. A socket belongs to the
// namespace in which it was made, so one process sends as many pods at once, from the moment that
// their networks come up, and packets that no socket of Node would send.

import { closeSync, openSync } from "node:fs";
import { Socket } from "node:net";
import koffi from "koffi";
import { present } from "../../src/lib/assert.ts";
import { errnoName } from "../../src/lib/operation-error.ts";
import { parseAddress } from "../../src/net/address.ts";

const libc = koffi.load("libc.so.6");
const setns = libc.func("int setns(int, int)");
const socket = libc.func("int socket(int, int, int)");
const setsockopt = libc.func("int setsockopt(int, int, int, void *, unsigned int)");
const connect = libc.func("int connect(int, void *, unsigned int)");
const bind = libc.func("int bind(int, void *, unsigned int)");
const getsockname = libc.func("int getsockname(int, void *, void *)");
const sendto = libc.func("long sendto(int, void *, size_t, int, void *, unsigned int)");
const recv = libc.func("long recv(int, void *, size_t, int)");
const close = libc.func("int close(int)");

const CLONE_NEWNET = 0x40000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const DATAGRAM_MAX = 65_536;

/** Numbers of linux/socket.h and linux/in.h: SOCK_STREAM, SOCK_DGRAM, SOCK_RAW; protocols. */
const KINDS = {
  tcp: { type: 1, protocol: { IPv4: 6, IPv6: 6 } },
  udp: { type: 2, protocol: { IPv4: 17, IPv6: 17 } },
  icmp: { type: 3, protocol: { IPv4: 1, IPv6: 58 } },
  /** Whole IP packets, whatever they say. */
  raw: { type: 3, protocol: { IPv4: 255, IPv6: 255 } },
} as const;
export type SocketKind = keyof typeof KINDS;

const FAMILY = { IPv4: { number: 2, bytes: 4 }, IPv6: { number: 10, bytes: 16 } } as const;

/** Whether an address as text is one of IPv6. */
export function isV6(address: string): boolean {
  return address.includes(":");
}

/** The bytes of an address as packets carry them. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(present(parseAddress(address), address), "latin1");
}

function familyName(address: string): "IPv4" | "IPv6" {
  return isV6(address) ? "IPv6" : "IPv4";
}

/** struct sockaddr_in or sockaddr_in6. */
function sockaddr(address: string, port: number): Buffer {
  const v6 = isV6(address);
  const bytes = Buffer.alloc(v6 ? 28 : 16);
  bytes.writeUInt16LE(FAMILY[familyName(address)].number, 0);
  bytes.writeUInt16BE(port, 2);
  addressBytes(address).copy(bytes, v6 ? 8 : 4);
  return bytes;
}

/** Runs `work`, which must be synchronous, in the namespace at `path`. */
function inNamespace<T>(path: string, work: () => T): T {
  const home = openSync("/proc/self/ns/net", "r");
  const away = openSync(path, "r");
  try {
    if (setns(away, CLONE_NEWNET) !== 0) throw new Error(`setns ${path}: ${lastError()}`);
    try {
      return work();
    } finally {
      if (setns(home, CLONE_NEWNET) !== 0) throw new Error(`setns back: ${lastError()}`);
    }
  } finally {
    closeSync(away);
    closeSync(home);
  }
}

function lastError(): string {
  return errnoName(-koffi.errno());
}

export interface NetnsSocketOptions {
  /** Path of the network namespace. */
  readonly netns: string;
  readonly kind: SocketKind;
  /** Whom it is for; says the family too. */
  readonly to: string;
  readonly port: number;
  /** 0, or absent: the kernel chooses. */
  readonly sourcePort?: number;
}

/** Never blocks; what cannot be sent is not sent. To be closed. */
export class NetnsSocket {
  readonly #fd: number;
  readonly #to: string;
  readonly #peer: Buffer;
  #closed = false;

  constructor({ netns, kind, to, port, sourcePort = 0 }: NetnsSocketOptions) {
    const family = familyName(to);
    const { type, protocol } = KINDS[kind];
    this.#to = to;
    // A raw socket of IPv6 refuses a port.
    this.#peer = sockaddr(to, kind === "tcp" || kind === "udp" ? port : 0);
    this.#fd = inNamespace(netns, () =>
      socket(FAMILY[family].number, type | SOCK_NONBLOCK, protocol[family]),
    ) as number;
    if (this.#fd < 0) throw new Error(`socket ${kind}: ${lastError()}`);
    if (sourcePort === 0) return;
    // The same port is for the other family too.
    if (isV6(to)) this.setOption(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const any = sockaddr(isV6(to) ? "::" : "0.0.0.0", sourcePort);
    if (bind(this.#fd, any, any.length) !== 0) throw new Error(`bind: ${lastError()}`);
  }

  /** Sends; the name of the error if it could not, as where there is no route yet. */
  send(bytes: Buffer): string | undefined {
    return this.#result(sendto(this.#fd, bytes, bytes.length, 0, this.#peer, this.#peer.length));
  }

  /** Begins to connect; EINPROGRESS is how that goes. UDP: for `receive` from the peer alone. */
  connect(): string | undefined {
    return this.#result(connect(this.#fd, this.#peer, this.#peer.length) as number);
  }

  /** What has arrived; undefined: nothing. */
  receive(): Buffer | undefined {
    const bytes = Buffer.alloc(DATAGRAM_MAX);
    const length = Number(recv(this.#fd, bytes, bytes.length, 0));
    return length < 0 ? undefined : bytes.subarray(0, length);
  }

  /** Its own port. */
  get port(): number {
    const own = Buffer.alloc(28);
    const length = Buffer.from(new Uint32Array([own.length]).buffer);
    if (getsockname(this.#fd, own, length) !== 0) throw new Error(`getsockname: ${lastError()}`);
    return own.readUInt16BE(2);
  }

  setOption(level: number, name: number, value: number): void {
    const bytes = Buffer.from(new Int32Array([value]).buffer);
    if (setsockopt(this.#fd, level, name, bytes, bytes.length) === 0) return;
    throw new Error(`setsockopt ${level} ${name} of a socket to ${this.#to}: ${lastError()}`);
  }

  /** Room for what arrives while nobody reads. */
  reserve(bytes: number): void {
    this.setOption(SOL_SOCKET, SO_RCVBUF, bytes);
  }

  /** The connection as a stream of Node's, which owns it from now on. */
  toStream(): Socket {
    this.#closed = true;
    return new Socket({ fd: this.#fd });
  }

  close(): void {
    if (!this.#closed) close(this.#fd);
    this.#closed = true;
  }

  #result(returned: number | bigint): string | undefined {
    return Number(returned) < 0 ? lastError() : undefined;
  }
}
