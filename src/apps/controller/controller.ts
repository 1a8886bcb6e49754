// The controller: what the cluster's objects and the nodes' acknowledgements mean for each policy,
// as a status on it and as events about it. Events only enqueue; an evaluation takes everything
// queued and hands the newest statuses to a writer that coalesces them. Only while this process
// holds the Lease is anything written.

import { Engine } from "../../engine/engine.ts";
import { present } from "../../lib/assert.ts";
import { Cluster } from "../../model/cluster.ts";
import type { ModelDelta } from "../../model/delta.ts";
import type { Kind, ObjectChange } from "../../model/objects.ts";
import { parseAcknowledgement } from "../../model/parse/acknowledgement.ts";
import type { Distribution } from "../../model/policy.ts";
import type { RowsMode } from "../../plan/row.ts";
import type { PolicyStatus } from "../../reconcile/policy-status.ts";
import { policyStatus, sameStatus } from "../../reconcile/policy-status.ts";
import type { PolicyEvent } from "../../sinks/kubernetes/events.ts";
import type { Patience } from "./agents.ts";
import { Agents } from "./agents.ts";
import type { KnownPolicy } from "./known-policies.ts";
import { conditionsOf, readKnownPolicy } from "./known-policies.ts";
import type { Meaning } from "./meaning.ts";
import { meaningsOf } from "./meaning.ts";
import { eventsOf } from "./policy-events.ts";

export interface ControllerOptions extends Patience {
  readonly distribution: Distribution;
  readonly rows: RowsMode;
  readonly mapSize: number;
  /** What is queued is taken together after so long. */
  readonly settleMs: number;
  /** How often everything is looked at although nothing came. */
  readonly tickMs: number;
  /** Told the status that a policy should have, when it has another one. */
  onStatus(policy: string, status: PolicyStatus): void;
  onGone(policy: string): void;
  onEvent(event: PolicyEvent): void;
}

/** A policy as a metric and a log see it. */
export interface PolicyView {
  readonly name: string;
  readonly status: PolicyStatus;
}

/** An evaluation costs what the cluster is large: it rests so many times as long as it worked. */
const REST = 10;

type Raw = Readonly<Record<string, unknown>>;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #cluster = new Cluster();
  readonly #engine: Engine;
  readonly #known = new Map<string, KnownPolicy>();
  readonly #agents: Agents;
  readonly #statuses = new Map<string, PolicyStatus>();
  /** Since when each policy has its generation. */
  readonly #since = new Map<string, { readonly generation: number; readonly atMs: number }>();
  readonly #queue: ObjectChange[] = [];
  #synced = false;
  #active = false;
  #meaning: ((policy: string) => Meaning) | undefined;
  #settling: NodeJS.Timeout | undefined;
  /** How long the last evaluation took. */
  #evaluationMs = 0;
  readonly #ticking: NodeJS.Timeout;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#engine = new Engine({ distribution: options.distribution, scope: undefined });
    this.#agents = new Agents(options);
    this.#ticking = setInterval(() => this.#evaluate(), options.tickMs);
  }

  /** Objects changed. */
  onObjects(changes: readonly ObjectChange[]): void {
    for (const change of changes) this.#queue.push(change);
    this.#settle();
  }

  /** An object as the API server has it; `raw` undefined: it is gone. */
  onRaw(kind: Kind, name: string, raw: Raw | undefined): void {
    if (kind === "NodeState") {
      this.#agents.note(name, parseAcknowledgement(raw), performance.now());
      this.#settle();
    }
    if (kind !== "CiliumEgressGatewayPolicy") return;
    if (raw !== undefined) {
      const known = readKnownPolicy(raw);
      const status = this.#statuses.get(name);
      // Somebody else's status is replaced; our own last one is not written again.
      if (status !== undefined && !sameStatus(known.status, status)) this.#statuses.delete(name);
      this.#known.set(name, known);
    } else {
      this.#known.delete(name);
      this.#statuses.delete(name);
      this.#since.delete(name);
      this.#options.onGone(name);
    }
    this.#settle();
  }

  /** The first complete list of objects has been delivered. */
  onSynced(): void {
    this.#synced = true;
    this.#settle();
  }

  /** Whether this process is the one that writes. */
  onLeader(active: boolean): void {
    this.#active = active;
    // Another one may have written meanwhile: what is there is compared anew.
    this.#statuses.clear();
    this.#settle();
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Sorted by name. */
  policies(): readonly PolicyView[] {
    return [...this.#statuses].map(([name, status]) => ({ name, status }));
  }

  close(): void {
    clearTimeout(this.#settling);
    clearInterval(this.#ticking);
  }

  #settle(): void {
    const delayMs = Math.max(this.#options.settleMs, this.#evaluationMs * REST);
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      const beganMs = performance.now();
      this.#evaluate();
      this.#evaluationMs = performance.now() - beganMs;
    }, delayMs);
  }

  #evaluate(): void {
    const queued = this.#queue.length;
    const delta = this.#cluster.apply(this.#queue.splice(0));
    this.#engine.step(delta);
    if (!this.#synced) return;
    // Issues of refused objects change without a difference of the model.
    if (this.#meaning === undefined || queued > 0 || !isEmpty(delta)) {
      const { rows, mapSize } = this.#options;
      this.#meaning = meaningsOf({ cluster: this.#cluster, engine: this.#engine, rows, mapSize });
    }
    if (!this.#active) return;
    for (const [name, known] of this.#known) {
      this.#judge(name, known, present(this.#meaning, "a plan")(name));
    }
  }

  /** True while nodes may still be on their way to a policy's newest generation. */
  #isRecent(name: string, generation: number): boolean {
    const nowMs = performance.now();
    let since = this.#since.get(name);
    if (since?.generation !== generation) {
      this.#since.set(name, (since = { generation, atMs: nowMs }));
    }
    return nowMs - since.atMs < this.#options.graceMs;
  }

  #judge(name: string, known: KnownPolicy, meaning: Meaning): void {
    const { own, issues, inForce, listed, generation, wanted } = meaning;
    const lags = this.#agents.lags({ name, generation }, wanted, performance.now());
    const before = conditionsOf(this.#statuses.get(name) ?? known.status);
    const status = policyStatus(
      {
        generation: known.generation,
        issues: own,
        inForce,
        listed,
        needed: wanted.size,
        lags,
        recent: this.#isRecent(name, known.generation),
      },
      { before, now: new Date().toISOString() },
    );
    const last = this.#statuses.get(name);
    this.#statuses.set(name, status);
    const written = sameStatus(known.status, status);
    if (!written && (last === undefined || !sameStatus(last, status))) {
      this.#options.onStatus(name, status);
    }
    for (const event of eventsOf({ name, uid: known.uid }, { issues, status, before })) {
      this.#options.onEvent(event);
    }
  }
}

function isEmpty(delta: ModelDelta): boolean {
  return Object.values(delta).every((changes) => changes.length === 0);
}
