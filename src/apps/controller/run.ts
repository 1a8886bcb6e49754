// A controller with its source, its Lease and its writers, from start to the signal that ends it.

import type { Place } from "../../drivers/kube/access.ts";
import { KubeConnection } from "../../drivers/kube/connection.ts";
import type { OperationError } from "../../lib/operation-error.ts";
import type { Emit } from "../../lib/screen.ts";
import type { Distribution } from "../../model/policy.ts";
import type { RowsMode } from "../../plan/row.ts";
import { AGENT_SILENT_MS } from "../../reconcile/node-verdicts.ts";
import type { PolicyStatus } from "../../reconcile/policy-status.ts";
import { CoalescedWriter } from "../../sinks/kubernetes/coalesced-writer.ts";
import { EventWriter } from "../../sinks/kubernetes/events.ts";
import { PolicyStatusWriter } from "../../sinks/kubernetes/policy-status.ts";
import { CONTROLLER_LEASE } from "../../sinks/kubernetes/resources.ts";
import type { EndpointSource } from "../../sources/kubernetes/kinds.ts";
import { watchKubernetes } from "../../sources/kubernetes/watch.ts";
import { renderControllerMetrics } from "../../status/controller-metrics.ts";
import { serveProbes } from "../../status/serve.ts";
import { Controller } from "./controller.ts";
import { Lease } from "./lease.ts";

export interface RunOptions {
  readonly place: Place;
  readonly endpoints: EndpointSource;
  /** The same as the agents'. */
  readonly distribution: Distribution;
  readonly rows: RowsMode;
  readonly mapSize: number;
  /** Where the Lease lies. */
  readonly namespace: string;
  /** This process among the controllers: the pod's name. */
  readonly identity: string;
  readonly metricsListen: string;
  readonly pace?: Partial<ControllerPace>;
  /** Ends the controller. */
  readonly signal: AbortSignal;
  /** Where its log goes, one line an event. */
  readonly tell: Emit;
}

export interface ControllerPace {
  readonly settleMs: number;
  readonly tickMs: number;
  /** Between two writes of one policy's status. */
  readonly statusIntervalMs: number;
  readonly silentMs: number;
  readonly graceMs: number;
  readonly leaseMs: number;
}

const PACE: ControllerPace = {
  settleMs: 1_000,
  tickMs: 5_000,
  statusIntervalMs: 5_000,
  silentMs: AGENT_SILENT_MS,
  graceMs: 30_000,
  leaseMs: 15_000,
};

/** Runs until `signal`. Throws OperationError for what keeps it from starting. */
export async function runController(options: RunOptions): Promise<void> {
  const pace = { ...PACE, ...options.pace };
  const log = logger(options.tell);
  const connection = new KubeConnection(options.place);
  const { statuses, events } = openWriters({
    connection,
    identity: options.identity,
    intervalMs: pace.statusIntervalMs,
    isActive: () => lease.held,
    log,
  });
  const controller = new Controller({
    ...options,
    ...pace,
    onStatus: (policy, status) => statuses.submit(policy, status),
    onGone: (policy) => statuses.forget(policy),
    onEvent: (event) => events.tell(event),
  });
  const source = watchKubernetes({
    connection,
    endpoints: options.endpoints,
    onChanges: (changes) => controller.onObjects(changes),
    onIssues: (issues) => issues.forEach(({ message }) => log("source", { issue: message })),
    onRaw: (kind, name, raw) => controller.onRaw(kind, name, raw),
  });
  void source.synced.then(() => controller.onSynced());
  const lease = new Lease({
    connection,
    namespace: options.namespace,
    name: CONTROLLER_LEASE,
    holder: options.identity,
    durationMs: pace.leaseMs,
    onChange(held) {
      log(held ? "active" : "standby", { identity: options.identity });
      controller.onLeader(held);
    },
    onError: ({ message, remedy }) => log("lease", { error: message, remedy }),
  });
  const http = await serveProbes({
    listen: options.metricsListen,
    waitingFor: () => (controller.synced ? "" : "the first complete list of objects"),
    metrics: () =>
      renderControllerMetrics({
        active: lease.held,
        statusWrites: statuses.writes,
        eventWrites: events.writes,
        policies: controller.policies(),
      }),
  });
  log("started", { server: connection.server, identity: options.identity });
  await aborted(options.signal);
  controller.close();
  await Promise.all([source.close(), http.close(), lease.close(), statuses.close()]);
  await events.close();
  await connection.close();
  log("ended", {});
}

type Log = (message: string, fields: Readonly<Record<string, string>>) => void;

function logger(tell: Emit): Log {
  return (message, fields) => {
    const texts = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    tell(`${[new Date().toISOString(), message, ...texts].join(" ")}\n`);
  };
}

interface WriterOptions {
  readonly connection: KubeConnection;
  readonly identity: string;
  readonly intervalMs: number;
  isActive(): boolean;
  readonly log: Log;
}

function openWriters({ connection, identity, intervalMs, isActive, log }: WriterOptions): {
  readonly statuses: CoalescedWriter<PolicyStatus>;
  readonly events: EventWriter;
} {
  const tellError = (what: string) => {
    let told = "";
    return ({ message, remedy }: OperationError) => {
      if (message !== told) log(what, { error: message, remedy });
      told = message;
    };
  };
  const policies = new PolicyStatusWriter(connection);
  const statusFailed = tellError("status");
  const statuses = new CoalescedWriter<PolicyStatus>({
    intervalMs,
    async write(name, status) {
      // Another one writes now; when this one is active again it judges anew.
      if (isActive()) await policies.write(name, status);
    },
    onError: (_, error) => statusFailed(error),
  });
  const events = new EventWriter({ connection, instance: identity, onError: tellError("events") });
  return { statuses, events };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
