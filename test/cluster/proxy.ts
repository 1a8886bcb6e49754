// A bad network before the API server: a proxy of bytes, which sees nothing of what is in TLS, that
// can cut connections wherever they are, slow them down, refuse them, and count them.

import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { Lifetime } from "./cluster.ts";

export class Proxy {
  /** Refuses whoever comes, as long as it is true. */
  refusing = false;
  /** Each piece of an answer waits so long. */
  delayMs = 0;
  /** A connection is cut after so many bytes of answers: in the middle of a line. */
  cutAfterBytes = Infinity;
  /** All that ever were. */
  total = 0;
  /** How often `cutAfterBytes` came true. */
  cuts = 0;
  readonly #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #port = 0;

  /** Forwards to this port of the loopback interface; ends with `lifetime`. */
  static async start(lifetime: Lifetime, target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    const server = createServer((client) => proxy.#accept(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    proxy.#port = (server.address() as AddressInfo).port;
    lifetime.after(() => {
      proxy.cut();
      server.close();
    });
    return proxy;
  }

  private constructor(target: number) {
    this.#target = target;
  }

  /** Its URL, for a kubeconfig. */
  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get open(): number {
    return this.#pairs.size;
  }

  /** Cuts all connections, without a word. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  #accept(client: Socket): void {
    if (this.refusing) return void client.resetAndDestroy();
    this.total++;
    const server = connect(this.#target, "127.0.0.1");
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [one, other] of [pair, [server, client] as const]) {
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    client.pipe(server);
    this.#answer(server, client);
  }

  #answer(server: Socket, client: Socket): void {
    let sent = 0;
    server.on("data", (piece: Buffer) => {
      const part = piece.subarray(0, Math.max(0, this.cutAfterBytes - sent));
      sent += piece.length;
      if (this.delayMs === 0) return this.#pass(client, { part, cut: part.length < piece.length });
      setTimeout(() => this.#pass(client, { part, cut: part.length < piece.length }), this.delayMs);
    });
    server.on("end", () => client.end());
  }

  #pass(client: Socket, { part, cut }: { readonly part: Buffer; readonly cut: boolean }): void {
    if (client.destroyed) return;
    client.write(part, () => {
      if (!cut || client.destroyed) return;
      this.cuts++;
      client.destroy();
    });
  }
}
