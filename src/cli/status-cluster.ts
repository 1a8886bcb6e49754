// `sluice status --kubeconfig`: what a cluster's objects say about its policies and its nodes.

import { KubeConnection } from "../drivers/kube/connection.ts";
import type { RawObject } from "../drivers/kube/objects.ts";
import { getObject, hasSubresource, listPages } from "../drivers/kube/objects.ts";
import type { Resource } from "../drivers/kube/resource.ts";
import { OperationError } from "../lib/operation-error.ts";
import {
  CONTROLLER_LEASE,
  LEASES,
  NODE_STATES,
  NODES,
  POLICIES,
} from "../sinks/kubernetes/resources.ts";
import { ENDPOINT_SOURCES } from "../sources/kubernetes/kinds.ts";
import { clusterDocument } from "../status/cluster-document.ts";
import type { ClusterObjects } from "../status/cluster-document.ts";
import { renderClusterStatus } from "../status/render-cluster.ts";
import { writeStatus } from "../status/write-status.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import { clusterPlace } from "./kube-place.ts";
import type { Terminal } from "./terminal.ts";

/** Shows it; EXIT.found unless all is as it should be. */
export async function statusOfCluster(args: Arguments, terminal: Terminal): Promise<Exit> {
  const { screen, emit } = terminal;
  const read = await readCluster(args);
  const nowMs = Date.now();
  const objects = read.judgedBy === "controller" ? read : await judged(read, args, terminal, nowMs);
  const document = clusterDocument(objects, nowMs);
  if (args.choice("output", ["table", "json"]) === "json") writeStatus(document, emit);
  else renderClusterStatus(document, { screen, write: emit, nowMs });
  return document.ready ? EXIT.ok : EXIT.found;
}

/** The objects with the statuses that their policies have no place for. */
async function judged(
  objects: ClusterObjects,
  args: Arguments,
  terminal: Terminal,
  nowMs: number,
): Promise<ClusterObjects> {
  const { judgePolicies } = await import("./judge-policies.ts");
  const { loadCluster, settingsOf } = await import("./load-plan.ts");
  const endpoints = args.choice("endpoints", ENDPOINT_SOURCES);
  const input = { kind: "live", place: clusterPlace(args), endpoints } as const;
  const loaded = await loadCluster(input, terminal);
  const policies = objects.policies as readonly RawObject[];
  const statuses = judgePolicies(policies, { loaded, settings: settingsOf(args), nowMs });
  return { ...objects, policies: policies.map((raw, i) => ({ ...raw, status: statuses[i] })) };
}

async function readCluster(args: Arguments): Promise<ClusterObjects> {
  let connection: KubeConnection | undefined;
  try {
    connection = new KubeConnection(clusterPlace(args));
    const [policies, nodeStates, nodes, lease] = await Promise.all([
      listAll(connection, POLICIES),
      listAll(connection, NODE_STATES),
      listAll(connection, NODES),
      readLease(connection, args.text("namespace") ?? ""),
    ]);
    if (policies === undefined || nodeStates === undefined) {
      const kind = nodeStates === undefined ? NODE_STATES.kind : POLICIES.kind;
      throw new UsageError(
        `Sluice is not installed here: ${connection.server} has no definition of ${kind}`,
        "`sluice install` installs it; `sluice install --dry-run` changes nothing yet.",
      );
    }
    const hasStatus = await hasSubresource(connection, POLICIES, "status");
    const judgedBy = hasStatus ? "controller" : "reader";
    return { policies, nodeStates, nodes: nodes ?? [], lease, judgedBy };
  } catch (error) {
    throw usageErrorOf(error);
  } finally {
    await connection?.close();
  }
}

/** Undefined where the kind is not defined. */
async function listAll(
  connection: KubeConnection,
  resource: Resource,
): Promise<unknown[] | undefined> {
  const all: unknown[] = [];
  try {
    for await (const { items } of listPages(connection, resource)) all.push(...items);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "NotFound") throw error;
    return undefined;
  }
  return all;
}

/** The controller's; null: whoever asks may not read it. */
async function readLease(connection: KubeConnection, namespace: string): Promise<unknown> {
  try {
    return await getObject(connection, LEASES, { namespace, name: CONTROLLER_LEASE });
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "Forbidden") throw error;
    return null;
  }
}
