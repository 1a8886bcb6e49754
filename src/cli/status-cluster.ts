// `sluice status --kubeconfig`: what a cluster's objects say about its policies and its nodes.

import { KubeConnection } from "../drivers/kube/connection.ts";
import { getObject, listPages } from "../drivers/kube/objects.ts";
import type { Resource } from "../drivers/kube/resource.ts";
import { OperationError } from "../lib/operation-error.ts";
import {
  CONTROLLER_LEASE,
  LEASES,
  NODE_STATES,
  NODES,
  POLICIES,
} from "../sinks/kubernetes/resources.ts";
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
  const objects = await readCluster(args);
  const nowMs = Date.now();
  const document = clusterDocument(objects, nowMs);
  if (args.choice("output", ["table", "json"]) === "json") writeStatus(document, emit);
  else renderClusterStatus(document, { screen, write: emit, nowMs });
  return document.ready ? EXIT.ok : EXIT.found;
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
    return { policies, nodeStates, nodes: nodes ?? [], lease };
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
