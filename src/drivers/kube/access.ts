// Where the Kubernetes API is and who asks it, from a kubeconfig or from the Pod that we run in.
// Parsing and authentication are those of @kubernetes/client-node, of which the modules are loaded
// that are needed: its whole is a third of a worker's memory, for types that nobody here reads.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { RequestOptions } from "node:https";
import type { Authenticator } from "@kubernetes/client-node/dist/auth.js";
import { newClusters, newContexts, newUsers } from "@kubernetes/client-node/dist/config_types.js";
import type { Cluster, User } from "@kubernetes/client-node/dist/config_types.js";
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { FileAuth } from "@kubernetes/client-node/dist/file_auth.js";
import { load } from "js-yaml";
import { OperationError } from "../../lib/operation-error.ts";
import { SERVICE_ACCOUNT } from "./in-cluster.ts";

export type Place =
  | {
      readonly kind: "kubeconfig";
      /** One path, or several with `:` between them, as in KUBECONFIG. */
      readonly path: string;
      /** Of the kubeconfig's contexts; undefined: its current one. */
      readonly context: string | undefined;
    }
  | { readonly kind: "in-cluster"; readonly directory?: string };

/** What a connection needs to know; certificates as PEM. */
export interface Credentials {
  readonly server: string;
  readonly proxy: string | undefined;
  readonly tls: Tls;
  readonly headers: Readonly<Record<string, string>>;
}

/** As `tls.connect` takes it. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: false;
}

interface Login {
  readonly cluster: Cluster;
  readonly user: User;
}

export class Access {
  readonly #place: Place;
  #login: Login;
  #authenticators: readonly Authenticator[] = [];

  /** Reads the kubeconfig. Throws OperationError. */
  constructor(place: Place) {
    this.#place = place;
    this.#login = readLogin(place);
    this.forget();
  }

  /** The API server's URL, as people know it. */
  get server(): string {
    return this.#login.cluster.server;
  }

  /**
   * Reads the files that the kubeconfig names, and asks for a token where that is how one is had;
   * tokens are remembered for as long as they last. Throws OperationError.
   */
  async credentials(): Promise<Credentials> {
    const { cluster, user } = this.#login;
    const options: RequestOptions = { headers: {} };
    try {
      await this.#authenticatorOf(user)?.applyAuthentication(user, options);
      return credentialsOf(cluster, user, options);
    } catch (cause) {
      if (cause instanceof OperationError) throw cause;
      const detail = `no credentials: ${(cause as Error).message.trim()}`;
      const target = cluster.server;
      const failure = { code: "NoCredentials", op: "authenticate", target, detail, cause };
      throw new OperationError(failure);
    }
  }

  /** After a refusal: reads everything anew, for files and tokens may have been renewed. */
  forget(): void {
    this.#authenticators = [new ExecAuth(), new FileAuth()];
    try {
      this.#login = readLogin(this.#place);
    } catch (error) {
      // It is being written: what was read last counts.
      if (!(error instanceof OperationError)) throw error;
    }
  }

  #authenticatorOf(user: User): Authenticator | undefined {
    const found = this.#authenticators.find((one) => one.isAuthProvider(user));
    if (found !== undefined || !user.authProvider) return found;
    const { name } = user.authProvider as { readonly name: string };
    const detail = `the kubeconfig's auth-provider ${name} is not supported; use exec or a token`;
    const target = this.server;
    throw new OperationError({ code: "NoCredentials", op: "authenticate", target, detail });
  }
}

function readLogin(place: Place): Login {
  return place.kind === "in-cluster" ? inCluster(place) : fromKubeconfig(place);
}

function inCluster({ directory = SERVICE_ACCOUNT }: { readonly directory?: string }): Login {
  const host = process.env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = process.env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === "" || !existsSync(join(directory, "token"))) {
    throw new OperationError({ code: "NoKubeconfig", op: "log in", target: directory });
  }
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const caFile = join(directory, "ca.crt");
  const cluster: Cluster = { name: "cluster", server, caFile, skipTLSVerify: false };
  return { cluster, user: { name: "account", authProvider: tokenFile(join(directory, "token")) } };
}

/** What FileAuth understands. */
function tokenFile(path: string) {
  return { name: "tokenFile", config: { tokenFile: path } };
}

interface RawKubeconfig {
  readonly clusters?: unknown;
  readonly users?: unknown;
  readonly contexts?: unknown;
  readonly "current-context"?: string;
}

/** The login of the context; the first file that has a name wins, as for kubectl. */
function fromKubeconfig({ path, context }: Extract<Place, { kind: "kubeconfig" }>): Login {
  const files = path.split(":").filter((file) => file !== "").map(readKubeconfig);
  const current = context ?? files.map((file) => file.current).find((name) => name !== "");
  const all = {
    clusters: files.flatMap(({ clusters }) => clusters),
    users: files.flatMap(({ users }) => users),
    contexts: files.flatMap(({ contexts }) => contexts),
  };
  const wrong = (detail: string) => {
    return new OperationError({ code: "BadKubeconfig", op: "log in", target: path, detail });
  };
  const named = all.contexts.find(({ name }) => name === current);
  if (named === undefined) {
    const known = all.contexts.map(({ name }) => name).join(", ") || "none";
    throw wrong(`there is no context ${current ?? "chosen"}; there are: ${known}`);
  }
  const cluster = all.clusters.find(({ name }) => name === named.cluster);
  const user = all.users.find(({ name }) => name === named.user);
  if (cluster === undefined) throw wrong(`context ${named.name} names no cluster of this file`);
  return { cluster, user: user ?? { name: "nobody" } };
}

function readKubeconfig(path: string) {
  const fail = (cause: unknown): never => {
    const { code, message } = cause as NodeJS.ErrnoException;
    const detail = code === "ENOENT" ? "no such file" : message;
    throw new OperationError({ code: "BadKubeconfig", op: "read", target: path, detail, cause });
  };
  try {
    const raw = (load(readFileSync(path, "utf8")) ?? {}) as RawKubeconfig;
    const directory = dirname(resolve(path));
    const users = newUsers(raw.users).map((user) => withTokenFile(user, raw));
    return {
      clusters: newClusters(raw.clusters).map((cluster) => absolute(cluster, directory)),
      users: users.map((user) => absolute(user, directory)),
      contexts: newContexts(raw.contexts),
      current: raw["current-context"] ?? "",
    };
  } catch (error) {
    return fail(error);
  }
}

/** client-node reads `token-file`, kubectl writes `tokenFile`. */
function withTokenFile(user: User, { users }: RawKubeconfig): User {
  interface RawUser {
    readonly name?: string;
    readonly user?: { readonly tokenFile?: string };
  }
  const raw = (users as readonly RawUser[]).find(({ name }) => name === user.name);
  const path = raw?.user?.tokenFile ?? "";
  return path === "" ? user : { ...user, authProvider: tokenFile(path) };
}

const FILE_FIELDS = ["caFile", "certFile", "keyFile"];

/** Paths in a kubeconfig begin at its own directory. */
function absolute<T extends object>(one: T, directory: string): T {
  const fields = Object.entries(one).map(([field, value]) => {
    const isPath = FILE_FIELDS.includes(field) && typeof value === "string" && value !== "";
    return [field, isPath ? resolve(directory, value) : value];
  });
  return Object.fromEntries(fields) as T;
}

function credentialsOf(cluster: Cluster, user: User, options: RequestOptions): Credentials {
  const ca = pem(cluster.caFile, cluster.caData);
  const cert = text(options.cert) ?? pem(user.certFile, user.certData);
  const key = text(options.key) ?? pem(user.keyFile, user.keyData);
  const headers = { ...(options.headers as Record<string, string>) };
  if (user.token) headers["Authorization"] = `Bearer ${user.token}`;
  if (user.username) {
    const pair = Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64");
    headers["Authorization"] = `Basic ${pair}`;
  }
  if (user.impersonateUser) headers["Impersonate-User"] = user.impersonateUser;
  // A token's file usually ends with a line break, which no header may have.
  for (const [name, value] of Object.entries(headers)) headers[name] = value.trim();
  const tls: Tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(cluster.tlsServerName ? { servername: cluster.tlsServerName } : {}),
    ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
  };
  return { server: cluster.server, proxy: cluster.proxyUrl || undefined, tls, headers };
}

function pem(file: string | undefined, data: string | undefined): string | undefined {
  if (file) return readFileSync(file, "utf8");
  return data ? Buffer.from(data, "base64").toString() : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
