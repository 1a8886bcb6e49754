// The Kubernetes API as a source: what its objects say, as differences, with the interface of a
// watched directory. Nothing is deleted because the API server is away, restarts, or forgets.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import type { RawObject } from "../../drivers/kube/objects.ts";
import { sameValue } from "../../lib/equal.ts";
import type { Issue } from "../../model/issue.ts";
import { compareIssues, issue } from "../../model/issue.ts";
import type { Kind, ObjectChange } from "../../model/objects.ts";
import type { EndpointSource } from "./kinds.ts";
import { watchedKinds } from "./kinds.ts";
import type { Timing } from "./list-watch.ts";
import { ListWatch, TIMING } from "./list-watch.ts";

export interface KubernetesOptions {
  /** Closed by whoever opened it, after the source. */
  readonly connection: KubeConnection;
  readonly endpoints: EndpointSource;
  /** Differences only; `value` undefined and not refused: the object is gone. */
  onChanges(changes: readonly ObjectChange[]): void;
  /** All issues of the API now, sorted, whenever they differ; those in changes are not. */
  onIssues(issues: readonly Issue[]): void;
  /**
   * Told policies and NodeStates as they came, before what follows of them; `raw` undefined: it is
   * gone. For what is no fact about the cluster: versions, statuses, acknowledgements.
   */
  onRaw?(kind: Kind, name: string, raw: RawObject | undefined): void;
  /** False: NodeStates, which are renewed all the time, are none of its business. */
  readonly nodeStates?: boolean;
  readonly timing?: Partial<Timing>;
}

/** Others are many, and their raw objects large. */
const RAW_KINDS: ReadonlySet<Kind> = new Set(["CiliumEgressGatewayPolicy", "NodeState"]);


export interface KubernetesWatch {
  /** Every kind has been listed, or is not served here. */
  readonly synced: Promise<void>;
  /** How many objects of each kind are held. */
  counts(): ReadonlyMap<Kind, number>;
  /** Nothing is called afterwards. */
  close(): Promise<void>;
}

/** Watches until it is closed. Nothing that the API server does is an error. */
export function watchKubernetes(options: KubernetesOptions): KubernetesWatch {
  const { connection, endpoints, onChanges, onIssues } = options;
  const stop = new AbortController();
  const timing = { ...TIMING, ...options.timing };
  let setSynced: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => (setSynced = resolve));
  let told: readonly Issue[] = [];
  const onState = () => {
    const issues = issuesOf(connection.server, kinds);
    const same = sameValue(issues, told);
    told = issues;
    if (!same) onIssues(issues);
    if (kinds.every(({ listed }) => listed)) setSynced();
  };
  const { onRaw, nodeStates = true } = options;
  const wanted = watchedKinds(endpoints).filter(({ kind }) => nodeStates || kind !== "NodeState");
  const kinds = wanted.map((watched) => {
    const { signal } = stop;
    const { kind } = watched;
    const raw =
      onRaw === undefined || !RAW_KINDS.has(kind)
        ? {}
        : { onRaw: (name: string, object: RawObject | undefined) => onRaw(kind, name, object) };
    return new ListWatch({ connection, watched, timing, signal, onChanges, onState, ...raw });
  });
  const running = kinds.map((kind) => kind.run());
  return {
    synced,
    counts: () => new Map(kinds.map(({ watched, objects }) => [watched.kind, objects])),
    async close() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

/** One issue for each thing that is wrong, however many kinds it concerns. */
function issuesOf(server: string, kinds: readonly ListWatch[]): readonly Issue[] {
  const issues = new Map<string, Issue>();
  for (const { problem, watched, objects } of kinds) {
    if (problem === undefined) continue;
    const { code, message, remedy } = problem;
    const kept = objects > 0 ? "; its last objects stay in force" : "";
    const general = code === "ApiUnreachable" || code === "ApiUntrusted" || code === "Unauthorized";
    // Which of the kinds was the first to notice says nothing.
    const text = general ? reasonOf(message) : message;
    const object = general ? server : watched.kind;
    issues.set(
      `${object} ${general ? code : text}`,
      issue("UnreadableApi", { object, path: "" }, `${text}${general ? "" : kept}; ${remedy}`),
    );
  }
  return [...issues.values()].sort(compareIssues);
}

/** Without the request that failed, which differs from kind to kind. */
function reasonOf(message: string): string {
  return message.replace(/^\S+: /, "").replace(/ \((list|watch|authenticate): /, " (");
}
