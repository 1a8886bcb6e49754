// Events about policies, for `kubectl describe` and `kubectl events`. What is told again is counted
// up in the same Event, and not more often than once in a while. Policies have no namespace, so
// their Events lie in `default`, as Kubernetes wants it.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import { applyObject } from "../../drivers/kube/objects.ts";
import { fnv1a32 } from "../../lib/hash.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { EVENTS } from "./resources.ts";

export interface PolicyEvent {
  readonly policy: { readonly name: string; readonly uid: string };
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
}

export interface EventsOptions {
  readonly connection: KubeConnection;
  /** Who tells: the pod's name. */
  readonly instance: string;
  onError(error: OperationError): void;
}

/** The same thing is not told more often. */
const REPEAT_MS = 3_600_000;
/** Events that wait to be written; more are dropped: a status says the same. */
const QUEUE_MAX = 256;
/** Told ones that are remembered; the oldest are forgotten first. */
const TOLD_MAX = 4_096;
const MESSAGE_CHARACTERS_MAX = 1_024;

interface Told {
  readonly first: string;
  count: number;
  atMs: number;
}

export class EventWriter {
  readonly #options: EventsOptions;
  readonly #told = new Map<string, Told>();
  readonly #queue: { readonly event: PolicyEvent; readonly told: Told }[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** Requests that succeeded. */
  writes = 0;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Writes the event soon, unless it was told a short while ago. */
  tell(event: PolicyEvent): void {
    if (this.#closed || this.#queue.length >= QUEUE_MAX) return;
    const name = nameOf(event);
    const nowMs = performance.now();
    const known = this.#told.get(name);
    if (known !== undefined && nowMs - known.atMs < REPEAT_MS) return;
    const told = known ?? { first: new Date().toISOString(), count: 0, atMs: 0 };
    told.count++;
    told.atMs = nowMs;
    this.#told.delete(name);
    this.#told.set(name, told);
    const [oldest] = this.#told.keys();
    if (this.#told.size > TOLD_MAX && oldest !== undefined) this.#told.delete(oldest);
    this.#queue.push({ event, told });
    this.#running ??= this.#loop().finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #loop(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#closed) return;
      try {
        await this.#write(next.event, next.told);
        this.writes++;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        // It was not told: the next one who wants to may.
        this.#told.delete(nameOf(next.event));
        this.#options.onError(error);
      }
    }
  }

  async #write({ policy, type, reason, message }: PolicyEvent, told: Told): Promise<void> {
    const { connection, instance } = this.#options;
    const name = { name: nameOf({ policy, type, reason, message }), namespace: "default" };
    const object = {
      involvedObject: { apiVersion: "cilium.io/v2", kind: "CiliumEgressGatewayPolicy", ...policy },
      type,
      reason,
      message: message.slice(0, MESSAGE_CHARACTERS_MAX),
      count: told.count,
      firstTimestamp: told.first,
      lastTimestamp: new Date().toISOString(),
      source: { component: "sluice-controller" },
      reportingComponent: "sluice.dev/controller",
      reportingInstance: instance,
    };
    const options = { fieldManager: "sluice-controller", force: true };
    await applyObject(connection, EVENTS, name, object, options);
  }
}

/** The same for what says the same about the same policy, also in another process. */
function nameOf({ policy, reason, message }: PolicyEvent): string {
  const texts = [`${policy.uid} ${reason} ${message}`, `${message} ${policy.uid} ${reason}`];
  const digest = texts.map((text) => fnv1a32(text).toString(16).padStart(8, "0")).join("");
  return `${policy.name.slice(0, 200)}.${digest}`;
}
