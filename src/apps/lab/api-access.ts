// How a lab's agents reach an API server that listens in the host's network: by a relay in each
// node's namespace to a socket of the file system, which network namespaces do not separate, and
// one on the host from there to the API server. Bytes pass unread: TLS is between agent and server.
//
//   agent ── 127.0.0.1:6443 [ node's namespace ] relay ── api.sock ── relay [ host ] ── API server
//
// Each agent has a token of its own.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Access } from "../../drivers/kube/access.ts";
import type { Resource } from "../../drivers/kube/resource.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { watchedKinds } from "../../sources/kubernetes/kinds.ts";
import type { ApiLogin, ApiObjects } from "./api-objects.ts";
import { FIELD_MANAGER } from "./api-objects.ts";
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

/** What an agent may do, and nothing else; the accounts that do it. */
export async function prepareApi(api: ApiObjects, nodes: readonly LabNode[]): Promise<void> {
  const { group } = POLICIES;
  if ((await api.all("CiliumEgressGatewayPolicy").catch(absent)) === undefined) {
    throw new LabError(
      `the API server at ${api.name} does not know ${POLICIES.plural}.${group}`,
      "Install the CustomResourceDefinition first.",
    );
  }
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const rules = watchedKinds("auto").flatMap(({ resources }) => resources).map(readable);
  const metadata = { name: ROLE };
  await api.put({ apiVersion, kind: "ClusterRole", metadata, rules });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: ROLE };
  const subjects = nodes.map(({ name }) => {
    return { kind: "ServiceAccount", namespace: NAMESPACE, name: accountOf(name) };
  });
  await api.put({ apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects });
  for (const name of ["default", ...nodes.map((node) => accountOf(node.name))]) {
    // An object of which nobody wrote a field does not say whose it is.
    const labels = { "app.kubernetes.io/managed-by": FIELD_MANAGER };
    await api.put({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, labels } });
  }
}

function readable({ group, plural }: Resource) {
  return { apiGroups: [group], resources: [plural], verbs: ["list", "watch"] };
}

const POLICIES = { plural: "ciliumegressgatewaypolicies", group: "cilium.io" };
const ROLE = "sluice-lab-agent";

function accountOf(node: string): string {
  return `agent-${node}`;
}

function absent(error: unknown): undefined {
  if ((error as { code?: string }).code === "NotFound") return undefined;
  throw error;
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
  const { status } = (await api.connection.ask({
    op: "create token",
    target: accountOf(name),
    method: "POST",
    path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${accountOf(name)}/token`,
    body: { spec: { expirationSeconds: TOKEN_SECONDS } },
  })) as { readonly status: { readonly token: string } };
  const path = place.kubeconfig(name);
  mkdirSync(dirname(path), { recursive: true });
  const config = await kubeconfigOf(login, status.token);
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
    "tls-server-name": tls.servername ?? hostname,
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

/** Takes away what the lab wrote into the API server; one that does not answer keeps it. */
export async function removeObjects(place: LabPlace): Promise<void> {
  const objects = await objectsOf(place);
  const remove = async (kind: string, wanted: (object: LabObject) => boolean) => {
    const names = (await objects.all(kind)).filter(wanted).map(({ metadata }) => metadata.name);
    await Promise.all(names.map((name) => objects.remove(kind, name)));
  };
  try {
    const { nodes } = readTopology(place);
    const names = new Set(nodes.map(({ name }) => name));
    await remove("CiliumEgressGatewayPolicy", isOurs);
    await remove("Pod", ({ metadata }) => metadata["namespace"] === NAMESPACE);
    await remove("Node", ({ metadata }) => names.has(metadata.name));
    await remove("ServiceAccount", isOurs);
    await objects.remove("ClusterRoleBinding", ROLE);
    await objects.remove("ClusterRole", ROLE);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
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
