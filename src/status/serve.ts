// The node's answers over HTTP. On the status address, which is a loopback address: /v1/status. On
// the metrics address: /metrics, and /healthz and /readyz for a kubelet.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { OperationError } from "../lib/operation-error.ts";
import type { StatusDocument } from "./document.ts";
import { parseListen, renderListen } from "./listen.ts";
import type { ListenAddress } from "./listen.ts";
import { METRICS_TYPE } from "./metric-text.ts";
import { renderMetrics } from "./metrics.ts";

export interface ServeOptions {
  /** `ADDRESS:PORT` of the status; a loopback address. Port 0: any. */
  readonly listen: string;
  /** `ADDRESS:PORT` of metrics and probes. Empty: they are not served. */
  readonly metricsListen: string;
  /** Asked for each answer, and not again while it is busy. */
  document(): Promise<StatusDocument>;
}

export interface StatusServer {
  /** Where it listens, `ADDRESS:PORT`; of the metrics: empty where they are not served. */
  readonly address: string;
  readonly metricsAddress: string;
  close(): Promise<void>;
}

/** A client has so long to ask. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Clients at a time, per address. */
const CONNECTIONS_MAX = 64;

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
}

type Routes = Readonly<Record<string, () => Promise<Answer>>>;

/**
 * Listens on both addresses. Throws OperationError: `BadListen` for an address that does not parse
 * or that is not loopback where it must be, or why the kernel refused (EADDRINUSE).
 */
export async function serveStatus(options: ServeOptions): Promise<StatusServer> {
  const status = parseListen(options.listen, { loopback: true });
  const metrics = options.metricsListen === "" ? undefined : parseListen(options.metricsListen, {});
  const document = shared(() => options.document());
  const first = await listen(status, { "/v1/status": async () => json(await document()) });
  try {
    const second = metrics && (await listen(metrics, probeRoutes(document)));
    return {
      address: boundTo(first),
      metricsAddress: second === undefined ? "" : boundTo(second),
      async close() {
        await Promise.all([closed(first), second && closed(second)]);
      },
    };
  } catch (error) {
    await closed(first);
    throw error;
  }
}

export interface ServeProbesOptions {
  /** `ADDRESS:PORT`. */
  readonly listen: string;
  /** Why it is not ready; empty: it is. */
  waitingFor(): string;
  /** As METRICS_TYPE says. */
  metrics(): string;
}

/** /metrics, /healthz and /readyz of what is no node. Throws as `serveStatus` does. */
export async function serveProbes(
  options: ServeProbesOptions,
): Promise<{ readonly address: string; close(): Promise<void> }> {
  const server = await listen(parseListen(options.listen, {}), {
    "/metrics": async () => ({ code: 200, type: METRICS_TYPE, text: options.metrics() }),
    "/healthz": async () => plain(200, "ok"),
    "/readyz": async () => {
      const waitingFor = options.waitingFor();
      return waitingFor === "" ? plain(200, "ok") : plain(503, waitingFor);
    },
  });
  return { address: boundTo(server), close: () => closed(server) };
}

function probeRoutes(document: () => Promise<StatusDocument>): Routes {
  return {
    "/metrics": async () => {
      return { code: 200, type: METRICS_TYPE, text: renderMetrics(await document()) };
    },
    // That it answers at all is the whole of it: what is wrong outside does not go by a restart.
    "/healthz": async () => plain(200, "ok"),
    "/readyz": async () => {
      const { ready, waitingFor } = await document();
      return ready ? plain(200, "ok") : plain(503, waitingFor || "not ready");
    },
  };
}

/** Who asks while an answer is made shares it: many clients cost no more than one. */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let busy: Promise<T> | undefined;
  return () => (busy ??= ask().finally(() => (busy = undefined)));
}

function listen(address: ListenAddress, routes: Routes): Promise<Server> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void answer(request, routes).then((found) => write(response, request, found));
  });
  server.maxConnections = CONNECTIONS_MAX;
  return new Promise((resolve, reject) => {
    // Later ones (no more file descriptors) pass, and nobody waits for this promise any more.
    server.on("error", (cause: NodeJS.ErrnoException) => {
      const target = renderListen(address);
      reject(new OperationError({ code: cause.code ?? "EIO", op: "listen", target, cause }));
    });
    server.listen({ host: address.host, port: address.port }, () => resolve(server));
  });
}

async function answer(request: IncomingMessage, routes: Routes): Promise<Answer> {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return plain(404, `try ${Object.keys(routes).join(", ")}`);
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "only GET");
  try {
    return await route();
  } catch (error) {
    // A failing status must not end the agent that it speaks of.
    return plain(500, error instanceof Error ? error.message : String(error));
  }
}

function write(response: ServerResponse, { method }: IncomingMessage, answered: Answer): void {
  const { code, type, text } = answered;
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(method === "HEAD" ? undefined : text);
}

function json(document: StatusDocument): Answer {
  return { code: 200, type: "application/json", text: `${JSON.stringify(document)}\n` };
}

function plain(code: number, text: string): Answer {
  return { code, type: "text/plain; charset=utf-8", text: `${text}\n` };
}

function boundTo(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return renderListen({ host: address, port });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
