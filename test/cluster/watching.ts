// The Kubernetes source as tests use it: with a connection of its own, and less patience.

import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import type { KubernetesOptions, KubernetesWatch } from "../../src/sources/kubernetes/watch.ts";
import { watchKubernetes } from "../../src/sources/kubernetes/watch.ts";
import type { Timing } from "../../src/sources/kubernetes/list-watch.ts";

export const HASTY: Partial<Timing> = {
  retryFirstMs: 20,
  retryMaxMs: 500,
  absentFirstMs: 100,
  absentMaxMs: 500,
  refusedMs: 300,
};

type Options = Partial<KubernetesOptions> & Pick<KubernetesOptions, "onChanges" | "onIssues">;

/** Watches as the kubeconfig says; its connection ends with it. */
export function watchCluster(kubeconfig: string, options: Options): KubernetesWatch {
  const place = { kind: "kubeconfig", path: kubeconfig, context: undefined } as const;
  const connection = new KubeConnection(place);
  const watch = watchKubernetes({
    connection,
    endpoints: "auto",
    ...options,
    timing: { ...HASTY, ...options.timing },
  });
  return {
    ...watch,
    async close() {
      await watch.close();
      await connection.close();
    },
  };
}
