// Opens one TCP and one UDP flow to each address of the server and prints, as JSON, which address
// the server saw. Like the server, it imports nothing of ours; it runs in a pod.
//
//   node probe.ts PORT TIMEOUT_MS ADDRESS...

import { createSocket } from "node:dgram";
import { connect } from "node:net";

interface Seen {
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  /** The address that the server saw; null: no answer. */
  readonly address: string | null;
}

const [port, timeout, ...addresses] = process.argv.slice(2);
const timeoutMs = Number(timeout);
const UDP_AGAIN_MS = 250;

function probeTcp(server: string): Promise<Seen> {
  return new Promise((resolve) => {
    const socket = connect({ host: server, port: Number(port) });
    const done = (address: string | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ protocol: "TCP", server, address });
    };
    const timer = setTimeout(done, timeoutMs, null);
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      const [, address] = /^you (\S+) \d+\n/.exec(text) ?? [];
      if (address !== undefined) done(address);
    });
    socket.on("error", () => done(null));
    socket.on("end", () => done(null));
  });
}

function probeUdp(server: string): Promise<Seen> {
  return new Promise((resolve) => {
    const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
    const done = (address: string | null) => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve({ protocol: "UDP", server, address });
    };
    const send = () => socket.send("probe", Number(port), server, () => undefined);
    const timer = setTimeout(done, timeoutMs, null);
    const again = setInterval(send, UDP_AGAIN_MS);
    socket.on("message", (message) => done(message.toString("latin1").split(" ")[0] ?? null));
    // Refused or unreachable now may be answered a moment later: the timer decides.
    socket.on("error", () => undefined);
    send();
  });
}

const probes = addresses.flatMap((address) => [probeTcp(address), probeUdp(address)]);
console.log(JSON.stringify(await Promise.all(probes)));
