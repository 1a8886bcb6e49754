// Which of several controllers is active: the one that holds a Lease. A holder that stops renewing
// loses it to another one after a while, by that other's own clock: clocks need not agree.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import type { RawObject } from "../../drivers/kube/objects.ts";
import { createObject, getObject, mergeObject } from "../../drivers/kube/objects.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { pause } from "../../lib/pause.ts";
import { LEASES } from "../../sinks/kubernetes/resources.ts";

export interface LeaseOptions {
  readonly connection: KubeConnection;
  readonly namespace: string;
  readonly name: string;
  /** Unique among those who want the Lease. */
  readonly holder: string;
  /** After so long without renewal somebody else may take it. */
  readonly durationMs: number;
  /** `held` changed. */
  onChange(held: boolean): void;
  onError(error: OperationError): void;
}

/** Tries to hold the Lease until it is closed. */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #held = false;
  /** By performance.now(): until then nobody else can have it. */
  #heldUntilMs = 0;
  /** What somebody else wrote last, and when we saw that first. */
  #seen = { text: "", atMs: 0 };

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** True while nobody else can be active. */
  get held(): boolean {
    return this.#held && performance.now() < this.#heldUntilMs;
  }

  /** Gives the Lease up, so that another one need not wait. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (!this.held) return;
    try {
      await this.#write({ spec: { holderIdentity: "" } });
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
    }
    this.#set(false);
  }

  async #run(): Promise<void> {
    const { durationMs, onError } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // It may have run out unseen, while this process stood still: whoever held back for that
      // begins anew.
      this.#set(this.held);
      try {
        this.#set(await this.#try());
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        // Whoever was faster is seen at the next look.
        if (error.code !== "Conflict" && error.code !== "AlreadyExists") onError(error);
        this.#set(this.held);
      }
      await pause(durationMs / 5, signal);
    }
  }

  /** Takes or renews the Lease; true if it is ours now. */
  async #try(): Promise<boolean> {
    const { connection, namespace, name, holder, durationMs } = this.#options;
    const beganMs = performance.now();
    const found = await getObject(connection, LEASES, { namespace, name });
    const now = new Date().toISOString().replace("Z", "000Z");
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(durationMs / 1_000),
      renewTime: now,
    };
    if (found === undefined) {
      const object = { metadata: { name, namespace }, spec: { ...spec, acquireTime: now } };
      await createObject(connection, LEASES, object);
    } else {
      const { resourceVersion, former } = readLease(found);
      if (former !== holder && former !== "" && !this.#hasExpired(resourceVersion)) return false;
      const acquired = former === holder ? {} : { acquireTime: now };
      // With the version that was read: of two who try, one is refused.
      await this.#write({ metadata: { resourceVersion }, spec: { ...spec, ...acquired } });
    }
    this.#heldUntilMs = beganMs + durationMs;
    return true;
  }

  async #write(patch: RawObject): Promise<void> {
    const { connection, namespace, name } = this.#options;
    await mergeObject(connection, LEASES, { namespace, name }, patch);
  }

  #hasExpired(version: string): boolean {
    const now = performance.now();
    if (version !== this.#seen.text) this.#seen = { text: version, atMs: now };
    return now - this.#seen.atMs > this.#options.durationMs;
  }

  #set(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#options.onChange(held);
  }
}

function readLease(raw: RawObject): { resourceVersion: string; former: string } {
  const { metadata, spec } = raw as {
    readonly metadata?: { readonly resourceVersion?: string };
    readonly spec?: { readonly holderIdentity?: string };
  };
  return {
    resourceVersion: metadata?.resourceVersion ?? "",
    former: spec?.holderIdentity ?? "",
  };
}
