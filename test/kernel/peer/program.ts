// One end of flows: it asks the other end and checks what comes back byte by byte, in TCP and UDP,
// and answers when it is asked; either end may speak first. Runs in a namespace of a lab, imports
// nothing of Sluice, reads commands as JSON lines on standard input and answers them on standard
// output (wire.ts says which).

import { createSocket } from "node:dgram";
import type { Socket as Datagrams } from "node:dgram";
import { connect, createServer } from "node:net";
import type { Socket as Stream } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command, Flood, FlowReport, FlowSpec } from "./wire.ts";
import { parseRecord, renderRecord } from "./wire.ts";

/** How often a datagram that begins a flow is repeated: nobody else does it. */
const AGAIN_MS = 400;
/** Datagrams of a flood between two looks at everything else. */
const FLOOD_BATCH = 250;

type Transmit = (text: string) => void;

class Flow {
  readonly name: string;
  readonly #transmit: Transmit;
  readonly #end: (how: "close" | "reset") => void;
  readonly #waiting = new Map<number, () => void>();
  #sent = 0;
  #answered = 0;
  #broken: string | null = null;

  constructor(name: string, transmit: Transmit, end: (how: "close" | "reset") => void) {
    this.name = name;
    this.#transmit = transmit;
    this.#end = end;
  }

  /** Sends a record; ends when it was answered, or the flow broke, or at the signal. */
  async ask(size: number, signal?: AbortSignal, again = false): Promise<void> {
    if (this.#broken !== null) return;
    const number = this.#sent++;
    const record = renderRecord({ kind: "ask", name: this.name, number, size });
    const answered = new Promise<void>((resolve) => {
      this.#waiting.set(number, resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#transmit(record);
    const repeat = again ? setInterval(() => this.#transmit(record), AGAIN_MS) : undefined;
    await answered;
    clearInterval(repeat);
  }

  /** Takes a record of the other end. */
  take(text: string): void {
    const record = parseRecord(text);
    if (record === undefined) return this.break("wrong bytes");
    if (record.kind === "ask") return this.#transmit(renderRecord({ ...record, kind: "answer" }));
    const done = this.#waiting.get(record.number);
    this.#waiting.delete(record.number);
    // Undefined: the answer to a repeated datagram.
    if (done === undefined) return;
    this.#answered++;
    done();
  }

  break(why: string): void {
    this.#broken ??= why;
    for (const done of this.#waiting.values()) done();
  }

  end(how: "close" | "reset"): void {
    this.#end(how);
  }

  report(): FlowReport {
    const { name } = this;
    return { name, sent: this.#sent, answered: this.#answered, broken: this.#broken };
  }
}

const flows = new Map<string, Flow>();
/** Flow -> where each connection came from, `ADDRESS PORT`, and datagrams, when that changed. */
const heard = new Map<string, string[]>();
let talking: { readonly names: readonly string[]; readonly timer: NodeJS.Timeout } | undefined;

function datagramsTo(address: string): Datagrams {
  return createSocket(
    address.includes(":") ? { type: "udp6", ipv6Only: true } : { type: "udp4" },
  );
}

function note(name: string, address: string | undefined, port: number | undefined): void {
  const sources = heard.get(name) ?? [];
  heard.set(name, sources);
  sources.push(`${address} ${port}`);
}

function onLines(socket: Stream, take: (line: string) => void): void {
  let rest = "";
  socket.setNoDelay(true).setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  });
}

function adoptStream(name: string, socket: Stream): Flow {
  const end = (how: "close" | "reset") => {
    socket.removeAllListeners("close");
    if (how === "reset") socket.resetAndDestroy();
    else socket.destroy();
  };
  const flow = new Flow(name, (text) => void socket.write(text, "latin1"), end);
  socket.on("close", () => flow.break("closed"));
  socket.on("error", (error: NodeJS.ErrnoException) => flow.break(error.code ?? error.message));
  flows.set(name, flow);
  return flow;
}

function acceptStream(socket: Stream): void {
  let flow: Flow | undefined;
  // What happens before the first record is the other end's trouble.
  socket.on("error", () => undefined);
  const { remoteAddress, remotePort } = socket;
  onLines(socket, (line) => {
    const name = parseRecord(line)?.name;
    if (flow === undefined && name !== undefined) {
      flow = adoptStream(name, socket);
      note(name, remoteAddress, remotePort);
    }
    flow?.take(line);
  });
}

function acceptDatagrams(socket: Datagrams): void {
  socket.on("message", (message, { address, port }) => {
    const text = message.toString("latin1");
    const name = parseRecord(text)?.name;
    if (name === undefined) return;
    if (heard.get(name)?.at(-1) !== `${address} ${port}`) note(name, address, port);
    const { kind } = parseRecord(text) ?? {};
    const known = flows.get(name);
    if (kind === "answer" && known !== undefined) return known.take(text);
    // A flow that comes from elsewhere now is answered there.
    const transmit = (reply: string) =>
      socket.send(reply, port, address, () => undefined);
    const flow = new Flow(name, transmit, () => undefined);
    if (known === undefined) flows.set(name, flow);
    flow.take(text);
  });
}

async function listen(addresses: readonly string[], port: number): Promise<void> {
  for (const address of addresses) {
    const server = createServer(acceptStream);
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    const socket = datagramsTo(address);
    acceptDatagrams(socket);
    await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  }
}

function openStream({ name, server, port, localAddress, localPort }: FlowSpec): Flow {
  const from = {
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
  };
  const socket = connect({ host: server, port, ...from });
  const flow = adoptStream(name, socket);
  onLines(socket, (line) => flow.take(line));
  return flow;
}

async function openDatagrams(spec: FlowSpec): Promise<Flow> {
  const { name, server, port, localAddress, localPort = 0 } = spec;
  const socket = datagramsTo(server);
  await new Promise<void>((resolve) => socket.bind(localPort, localAddress, resolve));
  const transmit = (text: string) => socket.send(text, port, server, () => undefined);
  const flow = new Flow(name, transmit, () => socket.close());
  socket.on("message", (message, from) => {
    // From somewhere else it is no answer: a connected socket would not even see it.
    if (from.address === server && from.port === port) flow.take(message.toString("latin1"));
  });
  flows.set(name, flow);
  return flow;
}

async function open(specs: readonly FlowSpec[], signal: AbortSignal): Promise<FlowReport[]> {
  return Promise.all(
    specs.map(async (spec) => {
      const udp = spec.protocol === "UDP";
      const flow = udp ? await openDatagrams(spec) : openStream(spec);
      await flow.ask(0, signal, udp);
      return flow.report();
    }),
  );
}

function named(names: readonly string[] | undefined): Flow[] {
  if (names === undefined) return [...flows.values()];
  return names.flatMap((name) => flows.get(name) ?? []);
}

function talk(names: readonly string[], intervalMs: number): void {
  const timer = setInterval(() => named(names).forEach((flow) => void flow.ask(0)), intervalMs);
  talking = { names, timer };
}

/** Ends `talk`, and waits for what is on its way. */
async function hush(signal: AbortSignal): Promise<FlowReport[]> {
  clearInterval(talking?.timer);
  const all = named(talking?.names ?? []);
  const isWaiting = (flow: Flow) => {
    const { broken, sent, answered } = flow.report();
    return broken === null && sent > answered;
  };
  while (all.some(isWaiting) && !signal.aborted) await sleep(20);
  return all.map((flow) => flow.report());
}

/** One datagram from every socket to every port: each is a flow. */
async function flood({ server, sockets, ports }: Flood): Promise<number> {
  let sent = 0;
  for (let i = 0; i < sockets; i++) {
    const socket = datagramsTo(server);
    socket.on("error", () => undefined);
    for (let port = ports.first; port < ports.first + ports.count; port += FLOOD_BATCH) {
      const count = Math.min(FLOOD_BATCH, ports.first + ports.count - port);
      await new Promise<void>((resolve) => {
        let open = count;
        for (let j = 0; j < count; j++) {
          socket.send("flood", port + j, server, (error) => {
            if (error === null) sent++;
            if (--open === 0) resolve();
          });
        }
      });
    }
    socket.close();
  }
  return sent;
}

async function act(command: Command, signal: AbortSignal): Promise<unknown> {
  switch (command.do) {
    case "listen":
      return listen(command.addresses, command.port);
    case "open":
      return open(command.flows, signal);
    case "ask": {
      const asked = named(command.names);
      await Promise.all(asked.map((flow) => flow.ask(command.size, signal)));
      return asked.map((flow) => flow.report());
    }
    case "talk":
      return talk(command.names, command.intervalMs);
    case "hush":
      return hush(signal);
    case "heard":
      return command.names.map((name) => heard.get(name) ?? []);
    case "end":
      for (const flow of named(command.names)) {
        flow.end(command.how);
        flows.delete(flow.name);
      }
      return undefined;
    case "flood":
      return flood(command.flood);
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, withinMs, command } = JSON.parse(line) as {
    id: number;
    withinMs: number;
    command: Command;
  };
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), withinMs);
  void act(command, limit.signal).then((value) => {
    clearTimeout(timer);
    process.stdout.write(`${JSON.stringify({ id, value })}\n`);
  });
});
process.stdin.on("end", () => process.exit());
