// A source that is watched for what it must never do: say that something is gone which is there, or
// end with another picture than the API server has.

import assert from "node:assert/strict";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import type { Issue } from "../../src/model/issue.ts";
import type { Kind, ObjectChange } from "../../src/model/objects.ts";
import type { Timing } from "../../src/sources/kubernetes/list-watch.ts";
import { readKubernetes } from "../../src/sources/kubernetes/read.ts";
import type { KubernetesWatch } from "../../src/sources/kubernetes/watch.ts";
import { until } from "../support/until.ts";
import type { Cluster } from "./cluster.ts";
import type { Lifetime } from "./cluster.ts";
import { watchCluster } from "./watching.ts";

export interface Watcher {
  readonly kubeconfig: string;
  readonly timing?: Partial<Timing>;
}

export class Picture {
  readonly watch: KubernetesWatch;
  issues: readonly Issue[] = [];
  isSynced = false;
  /** Keys of objects that were said to be gone. */
  readonly gone: string[] = [];
  readonly #objects = new Map<string, ObjectChange>();

  constructor(lifetime: Lifetime, { kubeconfig, timing = {} }: Watcher) {
    this.watch = watchCluster(kubeconfig, {
      timing,
      onChanges: (changes) => changes.forEach((change) => this.#take(change)),
      onIssues: (issues) => (this.issues = issues),
    });
    void this.watch.synced.then(() => (this.isSynced = true));
    lifetime.after(() => this.watch.close());
  }

  has(kind: Kind, key: string): boolean {
    return this.#objects.has(`${kind} ${key}`);
  }

  /** Waits until it shows what the API server has, in every field that plays a part. */
  async converges(cluster: Cluster): Promise<void> {
    await until(async () => (await this.#differences(cluster)).length === 0, { pollMs: 200 });
    assert.deepEqual(await this.#differences(cluster), []);
  }

  async #differences(cluster: Cluster): Promise<string[]> {
    const path = cluster.kubeconfig;
    const { changes } = await readKubernetes({ kind: "kubeconfig", path, context: undefined });
    const truth = new Map(changes.map((change) => [`${change.kind} ${change.key}`, change]));
    const keys = new Set([...truth.keys(), ...this.#objects.keys()]);
    return [...keys].filter((key) => {
      return JSON.stringify(truth.get(key)) !== JSON.stringify(this.#objects.get(key));
    });
  }

  #take(change: ObjectChange): void {
    const key = `${change.kind} ${change.key}`;
    if (change.value !== undefined || change.refused) this.#objects.set(key, change);
    else {
      this.#objects.delete(key);
      this.gone.push(key);
    }
  }
}

/** A connection of the administrator, for a test's own questions. */
export function connectTo(lifetime: Lifetime, { kubeconfig }: Cluster): KubeConnection {
  const place = { kind: "kubeconfig", path: kubeconfig, context: undefined } as const;
  const connection = new KubeConnection(place);
  lifetime.after(() => connection.close());
  return connection;
}
