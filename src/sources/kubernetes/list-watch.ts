// Follows one kind of object for ever: lists it, watches from there on, goes on where a watch
// ended, and lists again where the API server no longer knows that place. Whatever happens to the
// API server, what was given stays given until it says otherwise.
//
//            ┌── Expired ─────────────┐
//     list ──┴──▶ watch ──▶ watch ──▶ …      each failure: wait, then the same again
//      └── not served here: wait, then list

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import { isServed, listPages } from "../../drivers/kube/objects.ts";
import type { RawObject } from "../../drivers/kube/objects.ts";
import type { Resource } from "../../drivers/kube/resource.ts";
import { apiVersionOf } from "../../drivers/kube/resource.ts";
import { watchEvents } from "../../drivers/kube/watch.ts";
import type { WatchEvent } from "../../drivers/kube/watch.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { pause } from "../../lib/pause.ts";
import type { ObjectChange } from "../../model/objects.ts";
import { Backoff } from "./backoff.ts";
import type { OnRaw } from "./held-objects.ts";
import { HeldObjects } from "./held-objects.ts";
import type { WatchedKind } from "./kinds.ts";

/** How this goes about it; tests are less patient. */
export interface Timing {
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Between looks for a kind that is not served. */
  readonly absentFirstMs: number;
  readonly absentMaxMs: number;
  /** A refusal counts once it has lasted so long: an API server that starts knows no roles yet. */
  readonly refusedMs: number;
  /** A watch ends after so long, and up to twice that. */
  readonly watchSeconds: number;
  /** A watch that is silent for so long is dead; bookmarks come every minute. */
  readonly idleMs: number;
  readonly pageObjects: number;
}

export const TIMING: Timing = {
  retryFirstMs: 200,
  retryMaxMs: 15_000,
  absentFirstMs: 15_000,
  absentMaxMs: 300_000,
  refusedMs: 5_000,
  watchSeconds: 300,
  idleMs: 150_000,
  // Larger pages cost memory that the C library does not give back.
  pageObjects: 200,
};

export interface ListWatchOptions {
  readonly connection: KubeConnection;
  readonly watched: WatchedKind;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  onChanges(changes: readonly ObjectChange[]): void;
  readonly onRaw?: OnRaw;
  /** `listed` or `problem` changed. */
  onState(): void;
}

/** How long a watch must last that brought nothing, to pass for one that works. */
const WORKING_MS = 1_000;

export class ListWatch {
  readonly watched: WatchedKind;
  readonly #options: ListWatchOptions;
  readonly #held: HeldObjects;
  readonly #retry: Backoff;
  readonly #absent: Backoff;
  #resource: Resource;
  /** After which to watch; empty: list first. */
  #version = "";
  #listed = false;
  #problem: OperationError | undefined;
  #failures = 0;
  #refusedSince: number | undefined;

  constructor(options: ListWatchOptions) {
    const { watched, timing } = options;
    const random = Math.random;
    this.#options = options;
    this.watched = watched;
    this.#resource = watched.resources[0];
    const type = { apiVersion: apiVersionOf(this.#resource), kind: watched.kind };
    this.#held = new HeldObjects(type, options.onRaw);
    this.#retry = new Backoff({ firstMs: timing.retryFirstMs, maxMs: timing.retryMaxMs, random });
    const { absentFirstMs: firstMs, absentMaxMs: maxMs } = timing;
    this.#absent = new Backoff({ firstMs, maxMs, random });
  }

  /** A whole list was given, or it is certain that there is none. */
  get listed(): boolean {
    return this.#listed;
  }

  /** Why nothing new comes; undefined: it does, or has only just stopped. */
  get problem(): OperationError | undefined {
    return this.#failures > 1 || !this.#listed ? this.#problem : undefined;
  }

  get objects(): number {
    return this.#held.size;
  }

  /** Runs until the signal. Throws only what is a mistake of ours. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const delayMs = await this.#once();
      if (delayMs > 0) await pause(delayMs, signal);
    }
  }

  /** One list or watch; gives how long to wait before the next. */
  async #once(): Promise<number> {
    try {
      if (this.#version === "") {
        await this.#list();
        return 0;
      }
      const beganMs = performance.now();
      const brought = await this.#watch();
      if (!brought && performance.now() - beganMs < WORKING_MS) return this.#retry.next();
      this.#succeeded();
      return 0;
    } catch (error) {
      if (this.#options.signal.aborted) return 0;
      if (!(error instanceof OperationError)) throw error;
      return this.#failed(error);
    }
  }

  async #list(): Promise<void> {
    const { connection, timing, signal, watched } = this.#options;
    this.#resource = await servedAt(watched, connection, signal);
    this.#held.beginList();
    let version = "";
    const limit = timing.pageObjects;
    for await (const page of listPages(connection, this.#resource, { limit, signal })) {
      version = page.resourceVersion;
      this.#give(page.items.flatMap((raw) => this.#held.put(raw)));
    }
    this.#give(this.#held.endList());
    this.#version = version;
    this.#succeeded();
    this.#set({ listed: true, problem: undefined });
  }

  /** Until the watch ends; true if it brought anything. */
  async #watch(): Promise<boolean> {
    const { connection, timing, signal } = this.#options;
    const timeoutSeconds = Math.ceil(timing.watchSeconds * (1 + Math.random()));
    const { idleMs } = timing;
    const options = { resourceVersion: this.#version, timeoutSeconds, idleMs, signal };
    let brought = false;
    for await (const events of watchEvents(connection, this.#resource, options)) {
      if (signal.aborted) return true;
      this.#give(events.flatMap((event) => this.#take(event)));
      this.#set({ listed: true, problem: undefined });
      if (events.length === 0) continue;
      brought = true;
      this.#succeeded();
    }
    return brought;
  }

  #take({ type, object }: WatchEvent): ObjectChange[] {
    this.#version = versionOf(object) || this.#version;
    switch (type) {
      case "ADDED":
      case "MODIFIED":
        return this.#held.put(object);
      case "DELETED":
        return this.#held.remove(object);
      // A bookmark, or what later API servers may send.
      default:
        return [];
    }
  }

  #give(changes: readonly ObjectChange[]): void {
    if (changes.length > 0 && !this.#options.signal.aborted) this.#options.onChanges(changes);
  }

  #succeeded(): void {
    this.#retry.reset();
    this.#absent.reset();
    this.#refusedSince = undefined;
    this.#failures = 0;
  }

  #failed(error: OperationError): number {
    this.#failures++;
    if (error.code === "Expired") {
      this.#version = "";
      return this.#failures > 1 ? this.#retry.next() : 0;
    }
    const absent = error.code === "NotFound";
    if (!absent && error.code !== "Forbidden") {
      this.#refusedSince = undefined;
      this.#set({ listed: this.#listed, problem: error });
      return this.#retry.next();
    }
    // A watch says so only where the kind went away, or the right to see it: find out by a list.
    this.#version = "";
    const mayLack = !this.watched.required && this.#held.size === 0;
    const certain = absent || this.#hasLasted();
    const problem = absent && mayLack ? undefined : error;
    this.#set({ listed: this.#listed || (mayLack && certain), problem });
    return mayLack && certain ? this.#absent.next() : this.#retry.next();
  }

  #hasLasted(): boolean {
    const now = performance.now();
    this.#refusedSince ??= now;
    return now - this.#refusedSince >= this.#options.timing.refusedMs;
  }

  #set({ listed, problem }: { listed: boolean; problem: OperationError | undefined }): void {
    const changed = listed !== this.#listed || problem?.message !== this.#problem?.message;
    this.#listed = listed;
    this.#problem = problem;
    if ((changed || this.#failures === 2) && !this.#options.signal.aborted) this.#options.onState();
  }
}

/** The first of a kind's resources that the API server serves. Throws OperationError. */
export async function servedAt(
  { kind, resources, required }: WatchedKind,
  connection: KubeConnection,
  signal: AbortSignal,
): Promise<Resource> {
  // What must be there is listed, whatever is said of it: that tells best what is wrong.
  if (required) return resources[0];
  for (const resource of resources) {
    if (await isServed(connection, resource, signal)) return resource;
  }
  // An API server that starts serves a kind a moment before it says so.
  for (const resource of resources) {
    try {
      await listPages(connection, resource, { limit: 1, signal }).next();
      return resource;
    } catch (error) {
      const { code = "" } = error as { code?: string };
      if (!["NotFound", "Forbidden"].includes(code)) throw error;
    }
  }
  throw new OperationError({ code: "NotFound", op: "discover", target: kind });
}

function versionOf(object: RawObject): string {
  const metadata = object["metadata"] as { readonly resourceVersion?: unknown } | undefined;
  return typeof metadata?.resourceVersion === "string" ? metadata.resourceVersion : "";
}
