// A stream of numbered datagrams, for tests that count what gets lost. It imports nothing of ours.
//
//   node udp-stream.ts receive PORT ADDRESS             sends every datagram back
//   node udp-stream.ts send PORT ADDRESS PER_SECOND     numbers from 0
//
// Prints `ready`, and when its standard input ends what it counted, as JSON.

import type { Socket } from "node:dgram";
import { createSocket } from "node:dgram";
import koffi from "koffi";

const [role = "", port = "0", address = "", perSecond = "0"] = process.argv.slice(2);

const BUFFER_BYTES = 2 ** 25;
/** SOL_SOCKET and SO_RCVBUFFORCE of asm-generic/socket.h. */
const [SOL_SOCKET, SO_RCVBUFFORCE] = [1, 33];
const TICK_MS = 5;
/** More at once, after a pause, would overrun the queues on the way. */
const BURST_MAX = 100;
/** What is on its way at the end may still arrive. */
const QUIET_MS = 500;

/** Nothing gets lost here because this process has to wait for the processor. */
function enlargeBuffer(socket: Socket): void {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const types = "int, int, int, const int32_t *, uint32_t";
  const setsockopt = koffi.load("libc.so.6").func(`int setsockopt(${types})`);
  const result = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, new Int32Array([BUFFER_BYTES]), 4);
  if (result !== 0) throw new Error("setsockopt: it needs CAP_NET_ADMIN");
}

/** Which numbers have come. */
class Seen {
  readonly #seen = new Set<number>();
  lastAt = performance.now();

  take(message: Buffer): void {
    this.#seen.add(message.readUInt32BE(0));
    this.lastAt = performance.now();
  }

  get count(): number {
    return this.#seen.size;
  }

  /** Those below `end` that are missing, as ranges. */
  gaps(end: number): string[] {
    const gaps: string[] = [];
    for (let number = 0; number < end; number++) {
      const first = number;
      while (number < end && !this.#seen.has(number)) number++;
      if (number > first) gaps.push(`${first}-${number - 1}`);
    }
    return gaps;
  }
}

const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
const seen = new Seen();
socket.on("error", () => undefined);

function atEnd(act: () => void): void {
  process.stdin.on("end", act).resume();
}

function print(document: object): void {
  process.stdout.write(`${JSON.stringify(document)}\n`, () => process.exit());
}

function receive(): void {
  socket.on("message", (message, peer) => {
    seen.take(message);
    socket.send(message, peer.port, peer.address);
  });
  socket.bind(Number(port), address, () => {
    enlargeBuffer(socket);
    console.log("ready");
  });
  atEnd(() => print({ received: seen.count }));
}

function send(): void {
  let sent = 0;
  const began = performance.now();
  socket.on("message", (message) => seen.take(message));
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * Number(perSecond));
    for (let burst = 0; sent < due && burst < BURST_MAX; burst++) {
      const message = Buffer.alloc(64);
      message.writeUInt32BE(sent++);
      socket.send(message, Number(port), address);
    }
  }, TICK_MS);
  socket.bind(0, () => {
    enlargeBuffer(socket);
    console.log("ready");
  });
  atEnd(() => {
    clearInterval(timer);
    const waiting = setInterval(() => {
      if (performance.now() - seen.lastAt < QUIET_MS) return;
      clearInterval(waiting);
      const seconds = (performance.now() - began) / 1000;
      print({ sent, answered: seen.count, gaps: seen.gaps(sent), seconds });
    }, TICK_MS);
  });
}

if (role === "send") send();
else receive();
