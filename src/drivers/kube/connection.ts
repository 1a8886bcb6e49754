// One connection to the Kubernetes API for a whole process: who asks and how is settled here, what
// is asked in objects.ts and watch.ts. Sockets are shared and kept; when a certificate, a key or
// the server changed on disk, new ones are made and those in use end when they are done.

import { isIP } from "node:net";
import { checkServerIdentity as checkIdentity } from "node:tls";
import type { PeerCertificate } from "node:tls";
import { Agent, ProxyAgent } from "undici";
import type { Dispatcher } from "undici";
import type { Credentials, Tls } from "./access.ts";
import { Access } from "./access.ts";
import type { Place } from "./access.ts";
import type { Asked } from "./api-error.ts";
import { refusal, unreachable } from "./api-error.ts";

export interface Request extends Asked {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Of the body; JSON when absent. */
  readonly contentType?: string;
  /** Silence of so long ends the answer with an error. */
  readonly idleMs?: number;
  readonly signal?: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 15_000;
/** The API server ends what takes longer than a minute. */
const ANSWER_TIMEOUT_MS = 70_000;
const IDLE_MS = 60_000;
/** Less than load balancers give an idle connection. */
const KEEP_ALIVE_MS = 30_000;

export class KubeConnection {
  readonly #access: Access;
  #dispatcher: Dispatcher | undefined;
  /** What `#dispatcher` was made of. */
  #made = "";
  #closed = false;

  /** Reads the kubeconfig; connects when it is first asked. Throws OperationError. */
  constructor(place: Place) {
    this.#access = new Access(place);
  }

  /** The API server's URL. */
  get server(): string {
    return this.#access.server;
  }

  /** The parsed answer. Throws OperationError. */
  async ask(request: Request): Promise<unknown> {
    const body = await this.open(request);
    try {
      return JSON.parse(await body.text());
    } catch (error) {
      throw unreachable(request, error);
    }
  }

  /** The answer's body as it comes; reading it may throw anything. Throws OperationError. */
  async open(request: Request): Promise<Dispatcher.ResponseData["body"]> {
    try {
      const { statusCode, body } = await this.#send(request);
      if (statusCode < 300) return body;
      const text = await body.text();
      // What proved us may have been renewed since it was read.
      if (statusCode === 401) this.#access.forget();
      throw refusal(request, statusCode, text);
    } catch (error) {
      const known = unreachable(request, error);
      if (known.code === "ApiUntrusted" || known.code === "ApiUnreachable") this.#access.forget();
      throw known;
    }
  }

  /** Ends all that runs. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#dispatcher?.destroy();
  }

  async #send(request: Request): Promise<Dispatcher.ResponseData> {
    const credentials = await this.#access.credentials();
    const { method, path, query, body, contentType = "application/json", idleMs } = request;
    const { origin, pathname } = new URL(credentials.server);
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    const content = body === undefined ? {} : { "content-type": contentType };
    return await this.#dispatcherFor(credentials).request({
      origin,
      path: `${pathname.replace(/\/$/, "")}${path}${search}`,
      method,
      headers: { accept: "application/json", ...content, ...credentials.headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: idleMs ?? IDLE_MS,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
  }

  #dispatcherFor({ server, proxy, tls }: Credentials): Dispatcher {
    if (this.#closed) throw new Error("the connection is closed");
    const made = JSON.stringify([server, proxy, tls]);
    if (this.#dispatcher !== undefined && made === this.#made) return this.#dispatcher;
    // Requests under way go on with what they began with.
    void this.#dispatcher?.close();
    this.#made = made;
    const common = {
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      allowH2: false,
    };
    const connect = { ...named(tls), timeout: CONNECT_TIMEOUT_MS, keepAlive: true };
    this.#dispatcher =
      proxy === undefined
        ? new Agent({ ...common, connect })
        : new ProxyAgent({ ...common, uri: proxy, requestTls: connect });
    return this.#dispatcher;
  }
}

/** An address is no server name of TLS (RFC 6066, 3): only the certificate is held against it. */
function named({ servername, ...tls }: Tls) {
  if (servername === undefined || isIP(servername) === 0) return { ...tls, servername };
  const checkServerIdentity = (_host: string, certificate: PeerCertificate) =>
    checkIdentity(servername, certificate);
  return { ...tls, checkServerIdentity };
}
