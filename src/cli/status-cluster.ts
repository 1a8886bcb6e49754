// `sluice status --kubeconfig`: what a cluster's objects say about its policies and its nodes.

import { KubeConnection } from "../drivers/kube/connection.ts";
import { listPages } from "../drivers/kube/objects.ts";
import type { Resource } from "../drivers/kube/resource.ts";
import { OperationError } from "../lib/operation-error.ts";
import { NODE_STATES, NODES, POLICIES } from "../sinks/kubernetes/resources.ts";
import { clusterDocument } from "../status/cluster-document.ts";
import type { ClusterStatusDocument } from "../status/cluster-document.ts";
import { renderClusterStatus } from "../status/render-cluster.ts";
import { writeStatus } from "../status/write-status.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, usageErrorOf } from "./command.ts";
import { clusterPlace } from "./kube-place.ts";
import type { Terminal } from "./terminal.ts";

/** Shows it; EXIT.found unless all is as it should be. */
export async function statusOfCluster(args: Arguments, terminal: Terminal): Promise<Exit> {
  const { screen, emit } = terminal;
  const document = await readCluster(args);
  if (args.choice("output", ["table", "json"]) === "json") writeStatus(document, emit);
  else renderClusterStatus(document, { screen, write: emit, nowMs: Date.now() });
  return document.ready ? EXIT.ok : EXIT.found;
}

async function readCluster(args: Arguments): Promise<ClusterStatusDocument> {
  const connection = new KubeConnection(clusterPlace(args));
  try {
    const [policies, nodeStates, nodes] = await Promise.all(
      [POLICIES, NODE_STATES, NODES].map((resource) => listAll(connection, resource)),
    );
    return clusterDocument({
      ...{ policies: policies ?? [], nodeStates: nodeStates ?? [], nodes: nodes ?? [] },
    });
  } catch (error) {
    throw usageErrorOf(error);
  } finally {
    await connection.close();
  }
}

/** Nothing where the kind is not defined. */
async function listAll(connection: KubeConnection, resource: Resource): Promise<unknown[]> {
  const all: unknown[] = [];
  try {
    for await (const { items } of listPages(connection, resource)) all.push(...items);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "NotFound") throw error;
  }
  return all;
}
