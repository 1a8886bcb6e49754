// A node's own object in the Kubernetes API: what publishedStatus says, whole, in one request.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import { applyObject, getObject } from "../../drivers/kube/objects.ts";
import type { publishedStatus } from "../../reconcile/published-state.ts";
import { NODE_STATES, NODES } from "./resources.ts";

export type PublishedStatus = ReturnType<typeof publishedStatus>;

/**
 * Creates or replaces the NodeState of a node. It belongs to the Node, so that it goes when the
 * Node goes. Throws OperationError.
 */
export async function writeNodeState(
  connection: KubeConnection,
  node: string,
  status: PublishedStatus & { readonly renewTime: string },
): Promise<void> {
  const owner = await getObject(connection, NODES, { name: node });
  const { uid } = (owner?.["metadata"] ?? {}) as { readonly uid?: string };
  const reference = { apiVersion: "v1", kind: "Node", name: node, uid };
  const metadata = { ownerReferences: uid === undefined ? [] : [reference] };
  const options = { fieldManager: "sluice-agent", force: true };
  await applyObject(connection, NODE_STATES, { name: node }, { metadata, status }, options);
}
