// A real etcd and kube-apiserver of one test, on free ports of the loopback interface, with all of
// their files in a temporary directory. RBAC is on, ServiceAccount tokens can be issued; there are
// no controllers, no scheduler and no kubelet: what they would write, the test writes.

import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { request } from "node:https";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary } from "./binaries.ts";
import { Authority } from "./certificates.ts";
import type { Certificate } from "./certificates.ts";
import { Daemon } from "./daemon.ts";
import { Etcd } from "./etcd.ts";
import type { Stored } from "./etcd.ts";
import type { KubectlOptions, KubectlRun } from "./kubectl.ts";
import { runKubectl } from "./kubectl.ts";

export interface ClusterOptions {
  /** More flags of kube-apiserver. */
  readonly flags?: readonly string[];
}

/** Whatever knows when it is over, as a test's context does. */
export interface Lifetime {
  after(end: () => Promise<void> | void): void;
}

export interface Login {
  /** Of the file. */
  readonly name: string;
  /** A bearer token, in place of the administrator's certificate. */
  readonly token?: string;
  /** Another address of the same API server: a test's proxy. */
  readonly server?: string;
  /** A file of certificates to trust; the cluster's own authority when absent. */
  readonly ca?: string;
}

const STARTS_MAX = 3;

/** Starts etcd and kube-apiserver, ready to be asked; they end with `lifetime`. */
export async function startCluster(
  lifetime: Lifetime,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-cluster-"));
  lifetime.after(() => rmSync(directory, { recursive: true, force: true }));
  // A port that was free may be taken by somebody else before it is listened on.
  for (let start = 1; ; start++) {
    const ports = { etcd: await freePort(), peer: await freePort(), api: await freePort() };
    const cluster = new Cluster({ directory, ports, options });
    lifetime.after(() => cluster.stop());
    if (await cluster.start()) return cluster;
    if (start === STARTS_MAX) throw new Error(cluster.lastWords());
    await cluster.stop();
  }
}

interface Parts {
  readonly directory: string;
  readonly ports: { readonly etcd: number; readonly peer: number; readonly api: number };
  readonly options: ClusterOptions;
}

export class Cluster {
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly server: string;
  readonly #parts: Parts;
  readonly #authority: Authority;
  readonly #admin: Certificate;
  readonly #etcd: Daemon;
  readonly #api: Daemon;

  constructor(parts: Parts) {
    const { directory, ports } = parts;
    this.#parts = parts;
    this.server = `https://127.0.0.1:${ports.api}`;
    this.#authority = new Authority(directory);
    this.#admin = this.#authority.issue({ file: "admin", subject: "/O=system:masters/CN=admin" });
    this.renewServingCertificate();
    writeServiceAccountKey(join(directory, "sa.key"));
    this.kubeconfig = this.login({ name: "admin" });
    this.#etcd = new Daemon(this.#etcdCommand(), join(directory, "etcd.log"));
    this.#api = new Daemon(this.#apiCommand(), join(directory, "kube-apiserver.log"));
  }

  /** Starts both; false if one of them ended. */
  async start(): Promise<boolean> {
    this.#etcd.start();
    return this.startApi();
  }

  async stop(): Promise<void> {
    await this.#api.stop("SIGKILL");
    await this.#etcd.stop("SIGKILL");
  }

  /** Starts the API server alone, on the port that it had; false if it ended. */
  async startApi(): Promise<boolean> {
    this.#api.start();
    return this.#api.waitUntil(() => this.#isReady());
  }

  /** Ends the API server as its supervisor would; etcd goes on. */
  stopApi(): Promise<void> {
    return this.#api.stop("SIGTERM");
  }

  /** Ends it as a crash would. */
  killApi(): Promise<void> {
    return this.#api.stop("SIGKILL");
  }

  /** It keeps its connections and answers nothing, until `resumeApi`. */
  pauseApi(): void {
    this.#api.signal("SIGSTOP");
  }

  resumeApi(): void {
    this.#api.signal("SIGCONT");
  }

  /** The path of the certificate of whoever vouches for the API server. */
  get authority(): string {
    return this.#authority.certificate;
  }

  /** Connections that clients have to the API server now; its own one to itself counts as well. */
  connections(): number {
    const port = this.#parts.ports.api.toString(16).toUpperCase().padStart(4, "0");
    const established = new RegExp(`^ *\\d+: \\S+:${port} \\S+ 01 `);
    return readFileSync("/proc/net/tcp", "utf8").split("\n").filter((line) => {
      return established.test(line);
    }).length;
  }

  /** Makes etcd forget all former revisions: whoever asks for one from the API server gets 410. */
  async compact(): Promise<void> {
    await new Etcd(this.#parts.ports.etcd).compact();
  }

  /**
   * Puts objects into etcd behind the API server's back, as when a backup is restored: thousands in
   * seconds. They must be whole, with UID, times and status; the API server completes the rest.
   */
  async restore(objects: readonly Stored[]): Promise<void> {
    await new Etcd(this.#parts.ports.etcd).put(objects);
  }

  /** Gives the API server a new certificate, which it takes at its next start. */
  renewServingCertificate(): void {
    const alternatives = ["IP:127.0.0.1", "DNS:localhost", "DNS:kubernetes.default.svc"];
    this.#authority.issue({ file: "serving", subject: "/CN=kube-apiserver", alternatives });
  }

  /** A certificate of the cluster's authority, for a user, or for a proxy before the API server. */
  issue(subject: Parameters<Authority["issue"]>[0]): Certificate {
    return this.#authority.issue(subject);
  }

  /** Writes a kubeconfig; gives its path. */
  login({ name, token, server = this.server, ca = this.authority }: Login): string {
    const path = join(this.#parts.directory, `${name}.kubeconfig`);
    const { certificate, key } = this.#admin;
    const user =
      token === undefined ? { "client-certificate": certificate, "client-key": key } : { token };
    const cluster = { server, "certificate-authority": ca };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "cluster", cluster }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: "cluster", user: name } }],
      "current-context": name,
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** A new token of a ServiceAccount. */
  async token(namespace: string, account: string, ...words: string[]): Promise<string> {
    const created = await this.kubectl("create", "token", "-n", namespace, account, ...words);
    return created.trim();
  }

  /** What `kubectl WORDS` prints; throws if it fails. */
  async kubectl(...words: string[]): Promise<string> {
    const { exit, stdout, stderr } = await this.tryKubectl(words);
    if (exit !== 0) throw new Error(`kubectl ${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Creates or changes objects, by server-side apply. */
  async apply(...objects: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    const words = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    const { exit, stderr } = await this.tryKubectl(words, { input });
    if (exit !== 0) throw new Error(`kubectl apply: ${stderr}`);
  }

  /** How `kubectl WORDS` ends. */
  tryKubectl(words: readonly string[], options: KubectlOptions = {}): Promise<KubectlRun> {
    return runKubectl(words, { kubeconfig: this.kubeconfig, ...options });
  }

  lastWords(): string {
    return `${this.#etcd.lastWords()}\n${this.#api.lastWords()}`;
  }

  #isReady(): Promise<boolean> {
    if (!this.#etcd.runs) throw new Error(`etcd ended: ${this.#etcd.lastWords()}`);
    const { certificate, key } = this.#admin;
    return answersOk(`${this.server}/readyz`, {
      ca: readFileSync(this.#authority.certificate),
      cert: readFileSync(certificate),
      key: readFileSync(key),
      agent: false,
    });
  }

  #etcdCommand(): string[] {
    const { directory, ports } = this.#parts;
    const client = `http://127.0.0.1:${ports.etcd}`;
    const peer = `http://127.0.0.1:${ports.peer}`;
    return [
      binary("etcd"),
      ...["--data-dir", join(directory, "etcd"), "--unsafe-no-fsync", "--log-level", "warn"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `default=${peer}`],
    ];
  }

  #apiCommand(): string[] {
    const { directory, ports, options } = this.#parts;
    const file = (name: string) => join(directory, name);
    const issuer = "https://kubernetes.default.svc";
    return [
      binary("kube-apiserver"),
      ...["--etcd-servers", `http://127.0.0.1:${ports.etcd}`],
      ...["--bind-address", "127.0.0.1", "--secure-port", String(ports.api)],
      ...["--cert-dir", directory, "--client-ca-file", this.#authority.certificate],
      ...["--tls-cert-file", file("serving.crt"), "--tls-private-key-file", file("serving.key")],
      ...["--service-account-issuer", issuer, "--service-account-key-file", file("sa.key")],
      ...["--service-account-signing-key-file", file("sa.key")],
      ...["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"],
      // Nobody makes the accounts `default` that Pods would need.
      ...["--disable-admission-plugins", "ServiceAccount"],
      ...(options.flags ?? []),
    ];
  }
}

function writeServiceAccountKey(path: string): void {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(path, privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
}

/** A port of the loopback interface that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answersOk(url: string, options: RequestOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { ...options, timeout: 5_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
