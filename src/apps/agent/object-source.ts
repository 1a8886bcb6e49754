// Where an agent's objects come from: a directory or the Kubernetes API. The code of the other one
// is not even loaded.

import type { Place } from "../../drivers/kube/access.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { Issue } from "../../model/issue.ts";
import type { ObjectChange } from "../../model/objects.ts";
import type { PublishedStatus } from "../../sinks/kubernetes/node-state.ts";
import { checkDirectory, watchDirectory } from "../../sources/directory.ts";
import type { EndpointSource } from "../../sources/kubernetes/kinds.ts";
import type { AgentOptions } from "./options.ts";

export type SourcePlace =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "kubernetes"; readonly place: Place; readonly endpoints: EndpointSource };

interface Listener {
  onChanges(changes: readonly ObjectChange[]): void;
  onIssues(issues: readonly Issue[]): void;
  readonly log: AgentOptions["log"];
}

export interface ObjectSource {
  /** As a log names it: a path, or the API server's URL. */
  readonly name: string;
  /** Rejected with an OperationError where the cluster must be left alone. */
  readonly synced: Promise<void>;
  /** Writes the NodeState of a node, where there is somewhere to write it. */
  publish?(node: string, status: PublishedStatus & { readonly renewTime: string }): Promise<void>;
  close(): Promise<void>;
}

/** Throws OperationError for what cannot be a source, before anything is changed for it. */
export async function checkSource(source: SourcePlace): Promise<void> {
  if (source.kind === "directory") await checkDirectory(source.path);
}

/** Watches until it is closed. Throws OperationError for a kubeconfig that cannot be used. */
export async function openSource(
  source: SourcePlace,
  { onChanges, onIssues, log }: Listener,
): Promise<ObjectSource> {
  if (source.kind === "directory") {
    const { path } = source;
    const watch = watchDirectory({ path, onChanges, onIssues });
    return { name: path, synced: watch.synced, close: () => watch.close() };
  }
  return openKubernetes(source, { onChanges, onIssues, log });
}

async function openKubernetes(
  { place, endpoints }: Extract<SourcePlace, { kind: "kubernetes" }>,
  { onChanges, onIssues, log }: Listener,
): Promise<ObjectSource> {
  const { KubeConnection } = await import("../../drivers/kube/connection.ts");
  const { watchKubernetes } = await import("../../sources/kubernetes/watch.ts");
  const { writeNodeState } = await import("../../sinks/kubernetes/node-state.ts");
  const { findCiliumEgressGateway } = await import("../../sources/kubernetes/cilium-config.ts");
  const connection = new KubeConnection(place);
  // In its rows only a node's own state counts, which it knows from its kernel (rule 6.8).
  const watching = { connection, endpoints, nodeStates: false, onChanges, onIssues };
  const watch = watchKubernetes(watching);
  const stop = new AbortController();
  return {
    name: connection.server,
    // The API answers by now, and nothing is written before this.
    synced: watch.synced.then(() => {
      return refuseRival(() => findCiliumEgressGateway(connection), stop.signal, log);
    }),
    publish: (node, status) => writeNodeState(connection, node, status),
    async close() {
      stop.abort();
      await watch.close();
      await connection.close();
    },
  };
}

const RIVAL_RETRY_MS = 1_000;

/** Asks until there is an answer. Throws what `find` found. */
async function refuseRival(
  find: () => Promise<OperationError | undefined>,
  signal: AbortSignal,
  log: AgentOptions["log"],
): Promise<void> {
  while (!signal.aborted) {
    try {
      const rival = await find();
      if (rival !== undefined) throw rival;
      return;
    } catch (error) {
      if (!(error instanceof OperationError) || error.code === "CiliumEgressGateway") throw error;
      const { code, message, remedy } = error;
      if (code === "Forbidden") return log("cilium-config", { error: message, remedy });
      await new Promise((resolve) => setTimeout(resolve, RIVAL_RETRY_MS));
    }
  }
}
