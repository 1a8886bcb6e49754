// `sluice uninstall --cluster`: takes Sluice out of a cluster, the nodes' parts first. The agents'
// DaemonSet cleans the nodes itself: it is told to run `uninstall` in place of the agent.

import { setTimeout as sleep } from "node:timers/promises";
import { KubeConnection } from "../drivers/kube/connection.ts";
import type { RawObject } from "../drivers/kube/objects.ts";
import { deleteObject, getObject, listPages } from "../drivers/kube/objects.ts";
import { OperationError } from "../lib/operation-error.ts";
import { counted, printable } from "../lib/text.ts";
import type { ManifestObject } from "../sinks/kubernetes/manifest-objects.ts";
import {
  agentContainer,
  applyManifest,
  manifestTitle,
} from "../sinks/kubernetes/manifest-objects.ts";
import {
  isOwnDefinition,
  POLICY_DEFINITION,
} from "../sinks/kubernetes/policy-definition.ts";
import { POLICIES } from "../sinks/kubernetes/resources.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import { manifestObjects } from "./install.ts";
import { clusterPlace } from "./kube-place.ts";
import type { Terminal } from "./terminal.ts";

const POLL_MS = 1_000;
/** An object without its own finalizers is gone at once, a definition after its objects. */
const GONE_WITHIN_MS = 60_000;
const GONE_POLL_MS = 200;

/** Says first what will leave how; throws UsageError unless --yes agrees. */
export async function uninstallCluster(args: Arguments, terminal: Terminal): Promise<Exit> {
  const namespace = args.text("namespace") ?? "";
  const connection = new KubeConnection(clusterPlace(args));
  try {
    const consequences = await consequencesIn(connection);
    if (!args.has("yes")) {
      const [first = "", ...rest] = consequences;
      throw new UsageError(first, [...rest, "Say --yes if that is meant."].join("\n"));
    }
    for (const line of consequences) terminal.emit(`${printable(line)}\n`);
    const objects = manifestObjects({ namespace, image: args.text("image") ?? "", agentArgs: [] });
    await cleanNodes(connection, objects, Number(args.text("timeout")), terminal);
    for (const one of objects.reverse()) await remove(connection, one, args, terminal);
  } finally {
    await connection.close();
  }
  return EXIT.ok;
}

/** Per policy, how its pods' traffic leaves afterwards. */
async function consequencesIn(connection: KubeConnection): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const { items } of listPages(connection, POLICIES)) {
      for (const item of items) lines.push(consequenceOf(item as RawPolicy));
    }
  } catch (error) {
    // Without the definition there are no policies.
    if (!(error instanceof OperationError) || error.code !== "NotFound") throw error;
  }
  if (lines.length === 0) return ["no policy is there: no traffic changes its way"];
  return ["pods that use an egress gateway will leave with their nodes' addresses:", ...lines];
}

interface RawPolicy {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly endpoints?: number;
    readonly gateways?: readonly { readonly egressIPs?: readonly string[] }[];
  };
}

function consequenceOf({ metadata, status }: RawPolicy): string {
  const { endpoints, gateways = [] } = status ?? {};
  const addresses = gateways.flatMap(({ egressIPs = [] }) => egressIPs);
  const who = endpoints === undefined ? "its endpoints" : counted(endpoints, "endpoint");
  const instead = addresses.length === 0 ? "" : `, no longer with ${addresses.join(", ")}`;
  return `  ${metadata.name}: ${who}${instead}`;
}

/** Lets the DaemonSet clean every node and waits for it. Nothing is removed before that. */
async function cleanNodes(
  connection: KubeConnection,
  objects: readonly ManifestObject[],
  timeoutSeconds: number,
  { emit }: Terminal,
): Promise<void> {
  const agents = objects.find(({ resource }) => resource.kind === "DaemonSet");
  if (agents === undefined) return;
  const { resource, name } = agents;
  const found = await getObject(connection, resource, name);
  if (found === undefined) return emit("no DaemonSet is there: no node is cleaned\n");
  const cleaning = { ...agents, object: cleaningDaemonSet(agents.object, found) };
  await applyManifest(connection, cleaning, { force: true, dryRun: false });
  emit("every node removes what its agent programmed\n");
  const deadline = performance.now() + timeoutSeconds * 1_000;
  for (;;) {
    const rollout = rolloutOf(await getObject(connection, resource, name));
    if (rollout.complete) return emit(`${rollout.clean}\n`);
    if (performance.now() > deadline) {
      const { problem, remedy } = rollout;
      throw new UsageError(
        `after ${timeoutSeconds} s ${problem}; nothing else was removed`,
        `${remedy}, then try again.`,
      );
    }
    await sleep(POLL_MS);
  }
}

interface DaemonSet {
  readonly metadata: { readonly generation?: number };
  readonly spec: { readonly template: { readonly spec: PodSpec } };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

interface PodSpec {
  readonly containers: readonly [Readonly<Record<string, unknown>>];
}

/** The same pods with the same rights, all at once, that clean up, say so and stay. */
function cleaningDaemonSet(object: RawObject, found: RawObject): RawObject {
  const { spec } = object as unknown as DaemonSet;
  const { template } = spec;
  const [agent] = template.spec.containers;
  const { image } = agentContainer(found);
  const container = { ...agent, image, args: ["uninstall", "--yes", "--stay"] };
  return {
    ...object,
    spec: {
      ...spec,
      minReadySeconds: 0,
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "100%" } },
      template: { ...template, spec: { ...template.spec, containers: [container] } },
    },
  };
}

interface Rollout {
  readonly complete: boolean;
  /** What is said when it is complete. */
  readonly clean: string;
  /** What is said when it takes too long, and what to do about it. */
  readonly problem: string;
  readonly remedy: string;
}

function rolloutOf(raw: RawObject | undefined): Rollout {
  const { metadata, status = {} } = (raw ?? { metadata: {} }) as unknown as DaemonSet;
  const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled: updated = 0 } = status;
  const observed = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const ready = Math.min(updated, status.numberReady ?? 0);
  const complete = observed && updated >= wanted && ready >= wanted;
  const text = `${ready} of ${counted(wanted, "node")} are clean`;
  const clean = wanted === 0 ? "the DaemonSet runs on no node: none is cleaned" : text;
  if (!observed) {
    const problem = "nobody has told any node to clean up: the DaemonSet's change is not observed";
    return { complete, clean, problem, remedy: "See that kube-controller-manager runs" };
  }
  const remedy = "See the pods of the DaemonSet sluice-agent that are not ready";
  return { complete, clean, problem: `only ${text}`, remedy };
}

async function remove(
  connection: KubeConnection,
  one: ManifestObject,
  args: Arguments,
  { emit }: Terminal,
): Promise<void> {
  const title = manifestTitle(one);
  if (one.name.name === POLICY_DEFINITION) {
    const found = await getObject(connection, one.resource, one.name);
    if (found === undefined) return;
    if (!isOwnDefinition(found)) return emit(`left ${title}: it is somebody else's\n`);
    if (!args.has("with-policies")) {
      return emit(`left ${title} and the policies; --with-policies removes them\n`);
    }
  }
  if (!(await deleteObject(connection, one.resource, one.name))) return;
  // Kubernetes empties a namespace at its leisure; nothing of ours waits for that.
  if (one.resource.kind !== "Namespace") await untilGone(connection, one);
  emit(`removed ${title}\n`);
}

/** What is only marked for deletion would take along what the next installation applies. */
async function untilGone(connection: KubeConnection, one: ManifestObject): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (;;) {
    const found = await getObject(connection, one.resource, one.name);
    if (found === undefined) return;
    if (performance.now() > deadline) {
      const { finalizers = [] } = found["metadata"] as { readonly finalizers?: readonly string[] };
      throw new UsageError(
        `${manifestTitle(one)} is still being deleted after ${GONE_WITHIN_MS / 1_000} s`,
        `It waits for its finalizers (${finalizers.join(", ")}); once it is gone, try again.`,
      );
    }
    await sleep(GONE_POLL_MS);
  }
}
