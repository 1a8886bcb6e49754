// Passes bytes from one socket on to another, unread, in both directions. Like the server, it
// imports nothing of ours: it runs in a node's namespace, where our own process cannot go.
//
//   node relay.ts LISTEN TARGET      each HOST:PORT or the path of a socket

import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

const [listen = "", target = ""] = process.argv.slice(2);

function placeOf(text: string) {
  if (text.startsWith("/")) return { path: text };
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(text.slice(colon + 1)) };
}

function join(one: Socket, other: Socket): void {
  one.setNoDelay(true);
  one.pipe(other);
  one.on("error", () => undefined);
  // Whoever resets takes the other along; an orderly end passes through the pipe.
  one.on("close", () => other.destroySoon());
}

const server = createServer({ allowHalfOpen: true }, (client) => {
  const onward = connect({ ...placeOf(target), allowHalfOpen: true });
  join(client, onward);
  join(onward, client);
});
server.listen(placeOf(listen), () => console.log(`${listen} leads to ${target}`));
