// Long-lived TCP and UDP flows to the server, every byte and datagram checked, and every second a
// new connection, to see where new flows go. Like the server, it imports nothing of ours; it runs
// in a pod and writes JSON lines.
//
//   node flows.ts PORT SECONDS FLOWS ADDRESS...
//
// SIGINT and SIGTERM end it early, with its report.

import { createSocket } from "node:dgram";
import { connect } from "node:net";

const [port, seconds, flows, ...servers] = process.argv.slice(2);
const INTERVAL_MS = 50;
const NEW_FLOW_MS = 500;
const PROGRESS_MS = 500;
/** What is on its way at the end may still arrive. */
const GRACE_MS = 1500;
const CONNECT_MS = 5000;

/** What became of one flow; written at the end. */
interface Flow {
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  sent: number;
  answered: number;
  /** Answers that were not what had been sent. */
  wrong: number;
  /** The longest time between two answers. */
  gapMs: number;
  /** Why the flow ended before its time. */
  broken: string | null;
  /** The source address that the server saw first and last; null: it never answered. */
  first: string | null;
  last: string | null;
}

interface RunningFlow {
  readonly flow: Flow;
  send(): void;
  close(): void;
}

let ending = false;

function makeFlow(protocol: Flow["protocol"], server: string): Flow {
  const counters = { sent: 0, answered: 0, wrong: 0, gapMs: 0, broken: null };
  return { protocol, server, ...counters, first: null, last: null };
}

/** Measures the time between answers; time in which nothing was asked does not count. */
function gapClock(flow: Flow): () => void {
  let before = performance.now();
  return () => {
    const now = performance.now();
    if (flow.answered > 0) flow.gapMs = Math.max(flow.gapMs, now - before);
    before = now;
    flow.answered++;
  };
}

/** Bytes that no other place of the stream has: a number and what follows from it. */
function lineOf(number: number): string {
  let text = `${number} `;
  for (let i = 0, word = number + 1; i < 24; i++) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i;
    text += (word >>> 0).toString(36);
  }
  return `${text}\n`;
}

function openTcp(server: string): RunningFlow {
  const flow = makeFlow("TCP", server);
  const answer = gapClock(flow);
  let rest = "";
  const socket = connect({ host: server, port: Number(port), noDelay: true });
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (flow.first === null) flow.first = flow.last = line.split(" ")[1] ?? null;
      else {
        if (`${line}\n` !== lineOf(flow.answered)) flow.wrong++;
        answer();
      }
    }
  });
  const end = (why: string) => {
    if (!ending) flow.broken ??= why;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  socket.on("close", () => end("closed"));
  return {
    flow,
    send() {
      if (flow.first === null || flow.broken !== null) return;
      socket.write(lineOf(flow.sent++), "latin1");
    },
    close: () => socket.destroy(),
  };
}

function openUdp(server: string): RunningFlow {
  const flow = makeFlow("UDP", server);
  const answer = gapClock(flow);
  const waiting = new Set<number>();
  const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
  socket.on("message", (message) => {
    const [address = "", , ...words] = message.toString("latin1").split(" ");
    const line = words.join(" ");
    const number = Number(words[0]);
    flow.first ??= address;
    flow.last = address;
    if (!waiting.delete(number) || line !== lineOf(number)) flow.wrong++;
    else answer();
  });
  // Refused or unreachable: the answer is missing, and that is counted.
  socket.on("error", () => undefined);
  return {
    flow,
    send() {
      waiting.add(flow.sent);
      socket.send(lineOf(flow.sent++), Number(port), server, () => undefined);
    },
    close: () => socket.close(),
  };
}

function tell(record: object): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

/** One short connection, to see which address a flow that begins now has. */
function openNew(server: string): void {
  const socket = connect({ host: server, port: Number(port) });
  const done = (address: string | null) => {
    clearTimeout(timer);
    socket.destroy();
    if (!ending) tell({ kind: "new", server, address });
  };
  const timer = setTimeout(done, CONNECT_MS, null);
  socket.once("data", (data) => done(data.toString("latin1").split(" ")[1] ?? null));
  socket.on("error", () => done(null));
}

function sum(key: "sent" | "answered"): number {
  return running.reduce((total, { flow }) => total + flow[key], 0);
}

function progress(): void {
  const established = running.filter(({ flow }) => flow.first !== null).length;
  const broken = running.filter(({ flow }) => flow.broken !== null).length;
  tell({ kind: "progress", established, broken, sent: sum("sent"), answered: sum("answered") });
}

const running = servers.flatMap((server) =>
  Array.from({ length: Number(flows) }, () => [openTcp(server), openUdp(server)]).flat(),
);

const timers = [
  setInterval(() => running.forEach((one) => one.send()), INTERVAL_MS),
  setInterval(() => servers.forEach(openNew), NEW_FLOW_MS),
  setInterval(progress, PROGRESS_MS),
];

function finish(): void {
  timers.forEach(clearInterval);
  const deadline = performance.now() + GRACE_MS;
  const waiting = setInterval(() => {
    const missing = running.some(({ flow }) => flow.broken === null && flow.sent > flow.answered);
    if (missing && performance.now() < deadline) return;
    clearInterval(waiting);
    ending = true;
    progress();
    for (const one of running) one.close();
    const report = { kind: "flows", flows: running.map(({ flow }) => flow) };
    // Short connections that still wait are of no interest any more.
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
  }, INTERVAL_MS);
}

let finishing = false;
function finishOnce(): void {
  if (finishing) return;
  finishing = true;
  finish();
}

setTimeout(finishOnce, Number(seconds) * 1000).unref();
process.on("SIGINT", finishOnce);
process.on("SIGTERM", finishOnce);
