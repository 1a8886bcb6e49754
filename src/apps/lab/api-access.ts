// How a lab's agents reach an API server that listens in the host's network: by a relay in each
// node's namespace to a socket of the file system, which network namespaces do not separate, and
// one on the host from there to the API server. Bytes pass unread: TLS is between agent and server.
//
//   agent ── 127.0.0.1:6443 [ node's namespace ] relay ── api.sock ── relay [ host ] ── API server
//
// Each agent has the token of the pod that an installation would run on its node.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Access } from "../../drivers/kube/access.ts";
import { applyObject, deleteObject, getObject } from "../../drivers/kube/objects.ts";
import type { Resource } from "../../drivers/kube/resource.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { NODE_STATES } from "../../sinks/kubernetes/resources.ts";
import type { ApiLogin } from "./api-objects.ts";
import { ApiObjects, FIELD_MANAGER } from "./api-objects.ts";
import { LabError } from "./lab-error.ts";
import type { LabObject } from "./lab-objects.ts";
import { objectsOf } from "./lab-objects.ts";
import { pause, startDetached } from "./namespaces.ts";
import { NAMESPACE } from "./objects.ts";
import type { LabPlace } from "./place.ts";
import { programCommand } from "./programs.ts";
import { readTopology, writeWhole } from "./state.ts";
import type { LabNode } from "./topology.ts";

const PORT = 6443;
const LISTEN = `127.0.0.1:${PORT}`;
const RELAY_START_MS = 10_000;
const POLL_MS = 20;
const TOKEN_SECONDS = 86_400;

/** Writes down which API server the lab uses, for all of its commands. */
export function noteLogin(place: LabPlace, login: ApiLogin): void {
  writeWhole(place.api, `${JSON.stringify(login)}\n`);
}

/** Where an installation puts its own pods, and the account of its agents. */
const SYSTEM = "sluice-system";
const AGENT = "sluice-agent";

const ACCOUNTS = core("ServiceAccount", "serviceaccounts");
const PODS = core("Pod", "pods");

function core(kind: string, plural: string): Resource {
  return { group: "", version: "v1", plural, kind, namespaced: true };
}

/**
 * Agents run with the rights that an installation gives them, so there must be one. Throws LabError
 * or OperationError.
 */
export async function checkInstalled(login: ApiLogin): Promise<void> {
  const { connection } = ApiObjects.open(login);
  const account = { namespace: SYSTEM, name: AGENT };
  const found = await getObject(connection, ACCOUNTS, account).finally(() => connection.close());
  if (found !== undefined) return;
  throw new LabError(
    `Sluice is not installed in the API server at ${connection.server}`,
    "Run `sluice install` first; it needs no nodes.",
  );
}

/** What a namespace has once a controller saw it, for its pods. */
export async function addDefaultAccount(api: ApiObjects): Promise<void> {
  // An object of which nobody wrote a field does not say whose it is.
  const labels = { "app.kubernetes.io/managed-by": FIELD_MANAGER };
  const metadata = { name: "default", labels };
  await api.put({ apiVersion: "v1", kind: "ServiceAccount", metadata });
}

/** The pod that the DaemonSet would have on a node: its agent's token says so. */
async function agentToken({ connection }: ApiObjects, node: string): Promise<string> {
  const name = agentPod(node);
  const spec = {
    nodeName: node,
    hostNetwork: true,
    serviceAccountName: AGENT,
    containers: [{ name: "agent", image: "sluice" }],
  };
  const manager = { fieldManager: FIELD_MANAGER, force: true };
  const pod = await applyObject(connection, PODS, { namespace: SYSTEM, name }, { spec }, manager);
  const { uid } = pod["metadata"] as { readonly uid: string };
  const boundObjectRef = { apiVersion: "v1", kind: "Pod", name, uid };
  const { status } = (await connection.ask({
    op: "create token",
    target: name,
    method: "POST",
    path: `/api/v1/namespaces/${SYSTEM}/serviceaccounts/${AGENT}/token`,
    body: { spec: { expirationSeconds: TOKEN_SECONDS, boundObjectRef } },
  })) as { readonly status: { readonly token: string } };
  return status.token;
}

function agentPod(node: string): string {
  return `${AGENT}-${node}`;
}

/** Starts the host's relay. */
export async function startHostRelay(place: LabPlace, api: ApiObjects): Promise<void> {
  const { hostname, port, protocol } = new URL(api.name);
  const target = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  const log = place.log("api-relay");
  mkdirSync(dirname(log), { recursive: true });
  const out = openSync(log, "a");
  const [command = "", ...args] = programCommand("relay", [place.apiSocket, target]);
  const child = spawn(command, args, { detached: true, stdio: ["ignore", out, out], cwd: "/" });
  closeSync(out);
  child.on("error", () => undefined);
  child.unref();
  const deadline = performance.now() + RELAY_START_MS;
  while (!existsSync(place.apiSocket)) {
    if (performance.now() > deadline) throw new LabError("the relay to the API does not start");
    await pause(POLL_MS);
  }
}

/** Starts a node's relay and writes the agent's kubeconfig; gives its path. */
export async function connectNode(
  place: LabPlace,
  { name }: LabNode,
  { api, login }: { readonly api: ApiObjects; readonly login: ApiLogin },
): Promise<string> {
  const command = programCommand("relay", [LISTEN, place.apiSocket]);
  startDetached(place.namespace(name), { command, log: place.log(`relay-${name}`) });
  const token = await agentToken(api, name);
  const path = place.kubeconfig(name);
  mkdirSync(dirname(path), { recursive: true });
  const config = await kubeconfigOf(login, token);
  writeWhole(path, `${JSON.stringify(config)}\n`);
  return path;
}

/** The same API server by the relay, whose address its certificate need not have. */
async function kubeconfigOf({ kubeconfig, context }: ApiLogin, token: string): Promise<object> {
  const access = new Access({ kind: "kubeconfig", path: kubeconfig, context });
  const { server, tls } = await access.credentials();
  const { hostname, protocol } = new URL(server);
  const ca = tls.ca === undefined ? undefined : Buffer.from(tls.ca).toString("base64");
  const cluster = {
    server: `${protocol}//${LISTEN}`,
    "tls-server-name": tls.servername ?? hostname.replace(/^\[|\]$/g, ""),
    ...(ca === undefined ? {} : { "certificate-authority-data": ca }),
    ...(tls.rejectUnauthorized === false ? { "insecure-skip-tls-verify": true } : {}),
  };
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "lab", cluster }],
    users: [{ name: "agent", user: { token } }],
    contexts: [{ name: "lab", context: { cluster: "lab", user: "agent" } }],
    "current-context": "lab",
  };
}

/** A kind that is not served has no objects. */
function absent(error: unknown): undefined {
  if ((error as { code?: string }).code === "NotFound") return undefined;
  throw error;
}

/**
 * Takes away what the lab wrote into the API server. One that cannot be asked keeps it: gives why.
 */
export async function removeObjects(place: LabPlace): Promise<OperationError | undefined> {
  try {
    const objects = await objectsOf(place);
    const remove = async (kind: string, wanted: (object: LabObject) => boolean) => {
      const all = (await objects.all(kind).catch(absent)) ?? [];
      const names = all.filter(wanted).map(({ metadata }) => metadata.name);
      await Promise.all(names.map((name) => objects.remove(kind, name)));
    };
    const { nodes } = readTopology(place);
    const names = new Set(nodes.map(({ name }) => name));
    await remove("CiliumEgressGatewayPolicy", isOurs);
    await remove("Pod", ({ metadata }) => metadata["namespace"] === NAMESPACE);
    await remove("Node", ({ metadata }) => names.has(metadata.name));
    await remove("ServiceAccount", isOurs);
    if (objects instanceof ApiObjects) await removeAgents(objects, names);
    return undefined;
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
}

/** Their NodeStates go as well: nobody here collects what a Node owned. */
async function removeAgents({ connection }: ApiObjects, nodes: ReadonlySet<string>): Promise<void> {
  for (const node of nodes) {
    const pod = { namespace: SYSTEM, name: agentPod(node) };
    await deleteObject(connection, PODS, pod, { graceSeconds: 0 });
    await deleteObject(connection, NODE_STATES, { name: node });
  }
}

/** True for what the lab wrote itself, and not somebody with kubectl. */
function isOurs({ metadata }: LabObject): boolean {
  const fields = (metadata["managedFields"] ?? []) as readonly { readonly manager?: string }[];
  return fields.some(({ manager }) => manager === FIELD_MANAGER);
}

/** The host's relay, which lives in no namespace of the lab; undefined: it does not run. */
export function hostRelayOf(place: LabPlace): number | undefined {
  const pids = readdirSync("/proc").filter((name) => /^[1-9][0-9]*$/.test(name)).map(Number);
  return pids.find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words.some((word) => /\brelay\.[jt]s$/.test(word)) && words[2] === place.apiSocket;
    } catch {
      return false;
    }
  });
}
