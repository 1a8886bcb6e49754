// The server outside of the lab's cluster. It imports nothing of ours, so that what it says about
// the addresses that it sees is said by a stranger.
//
//   node echo-server.ts PORT ADDRESS...
//
// TCP: first the line `you ADDRESS PORT`, then every byte comes back as it was sent.
// UDP: a datagram comes back as `ADDRESS PORT ` and what was in it.

import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [port, ...addresses] = process.argv.slice(2);
let waiting = 2 * addresses.length;

function onListening(): void {
  if (--waiting === 0) console.log("listening");
}

function plain(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "").replace(/%.*$/, "");
}

for (const address of addresses) {
  const tcp = createServer((socket) => {
    socket.setNoDelay(true);
    // A client that is gone is no reason to end.
    socket.on("error", () => socket.destroy());
    socket.write(`you ${plain(socket.remoteAddress)} ${socket.remotePort}\n`);
    socket.pipe(socket);
  });
  tcp.listen(Number(port), address, onListening);
  const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
  udp.on("message", (message, peer) => {
    const head = Buffer.from(`${plain(peer.address)} ${peer.port} `);
    udp.send(Buffer.concat([head, message]), peer.port, peer.address, () => undefined);
  });
  udp.on("error", (error) => console.error(`udp ${address}: ${error.message}`));
  udp.bind(Number(port), address, onListening);
}
