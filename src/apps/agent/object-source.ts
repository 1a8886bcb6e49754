// Where an agent's objects come from: a directory or the Kubernetes API. The code of the other one
// is not even loaded.

import type { Place } from "../../drivers/kube/access.ts";
import type { Issue } from "../../model/issue.ts";
import type { ObjectChange } from "../../model/objects.ts";
import { watchDirectory } from "../../sources/directory.ts";
import type { EndpointSource } from "../../sources/kubernetes/kinds.ts";

export type SourcePlace =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "kubernetes"; readonly place: Place; readonly endpoints: EndpointSource };

interface Listener {
  onChanges(changes: readonly ObjectChange[]): void;
  onIssues(issues: readonly Issue[]): void;
}

export interface ObjectSource {
  /** As a log names it: a path, or the API server's URL. */
  readonly name: string;
  readonly synced: Promise<void>;
  close(): Promise<void>;
}

/** Watches until it is closed. Throws OperationError for a kubeconfig that cannot be used. */
export async function openSource(
  source: SourcePlace,
  { onChanges, onIssues }: Listener,
): Promise<ObjectSource> {
  if (source.kind === "directory") {
    const { path } = source;
    const watch = watchDirectory({ path, onChanges, onIssues });
    return { name: path, synced: watch.synced, close: () => watch.close() };
  }
  const { place, endpoints } = source;
  const { KubeConnection } = await import("../../drivers/kube/connection.ts");
  const { watchKubernetes } = await import("../../sources/kubernetes/watch.ts");
  const connection = new KubeConnection(place);
  const watch = watchKubernetes({ connection, endpoints, onChanges, onIssues });
  return {
    name: connection.server,
    synced: watch.synced,
    async close() {
      await watch.close();
      await connection.close();
    },
  };
}
