// The agent of a node: sources in, one turn at a time, sinks out. Events only enqueue; a turn takes
// everything queued through model and engine, works out what should be, and hands it to the
// applier. Nothing is written before every source is synced (rule 7.8).

import { OperationError } from "../../lib/operation-error.ts";
import type { Issue } from "../../model/issue.ts";
import type { ObjectChange } from "../../model/objects.ts";
import type { Address } from "../../net/address.ts";
import type { KernelState } from "../../net/kernel-state.ts";
import type { Row } from "../../plan/row.ts";
import type { NodeDatapath } from "../../reconcile/datapath.ts";
import { LameDucks } from "../../reconcile/lame-ducks.ts";
import { nodeStateOf } from "../../reconcile/node-state.ts";
import { addressesToProbe } from "../../reconcile/pod-devices.ts";
import type { PolicyMaps } from "../../sinks/policy-maps.ts";
import { openPolicyMaps } from "../../sinks/policy-maps.ts";
import { AddressOwners } from "./address-owners.ts";
import type { Step } from "./applier.ts";
import { Applier } from "./applier.ts";
import { Datapath } from "./datapath.ts";
import { LastAccepted } from "./last-accepted.ts";
import { Journal } from "./journal.ts";
import type { AgentOptions, AgentView } from "./options.ts";
import { RowTrail } from "./row-trail.ts";
import { rowsStep } from "./rows-step.ts";
import { Timers } from "./timers.ts";
import type { AdmittedRows, RowsNow } from "./world.ts";
import { World } from "./world.ts";

/** How often everything is compared with the kernel although nothing happened. */
const VERIFY_MS = 30_000;
const OPEN_RETRY_MS = 1_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #world: World;
  readonly #accepted: LastAccepted;
  readonly #owners: AddressOwners;
  readonly #policyMaps: PolicyMaps;
  readonly #rowsStep: Step;
  /** Undefined: what an earlier process left is not read yet. */
  #ducks: LameDucks | undefined;
  readonly #queue: ObjectChange[] = [];
  #kernel: KernelState | undefined;
  #objectIssues: readonly Issue[] = [];
  #objectsSynced = false;
  #turnQueued = false;
  #passed: Address[] = [];
  #datapath: Datapath | undefined;
  #opening: Promise<void> | undefined;
  #applier: Applier | undefined;
  readonly #timers = new Timers();
  #desired: NodeDatapath | undefined;
  #admitted: readonly Row[] = [];
  #rowCount = 0;
  /** When the first of the changes came that no turn has taken. */
  #changedMs: number | undefined;
  readonly #journal = new Journal();
  readonly #trail: RowTrail;
  #closed = false;

  /** Opens what it needs of this node. Throws OperationError before anything is changed. */
  constructor(options: AgentOptions) {
    this.#options = options;
    this.#accepted = new LastAccepted(options.stateDirectory);
    this.#owners = new AddressOwners(options.stateDirectory);
    this.#trail = new RowTrail(options.log, this.#timers);
    this.#world = new World(options, this.#owners);
    this.#policyMaps = openPolicyMaps({
      directory: options.policyMapDirectory,
      maxEntries: options.mapSize,
      legacyV4: options.legacyV4,
    });
    this.#rowsStep = rowsStep(this.#policyMaps, this.#trail);
    this.#queue.push(...this.#accepted.changes());
    void this.#adoptRows();
    if (options.datapath === "none") this.#applier = this.#newApplier([this.#rowsStep]);
    this.#timers.every(VERIFY_MS, () => this.onDoubt());
  }

  /** Objects changed. */
  onObjects(changes: readonly ObjectChange[]): void {
    // This node's own state is known from its kernel (rule 6.8).
    const { node } = this.#options;
    const others = changes.filter(({ kind, key }) => kind !== "NodeState" || key !== node);
    this.#accepted.note(others);
    for (const change of others) this.#queue.push(change);
    if (others.length > 0) this.#changedMs ??= performance.now();
    this.#wake();
  }

  /** Issues of the source itself, the whole list. */
  onIssues(issues: readonly Issue[]): void {
    this.#objectIssues = issues;
    this.#wake();
  }

  /** The first complete list of objects has been delivered. */
  onObjectsSynced(): void {
    this.#objectsSynced = true;
    this.#queue.push(...this.#accepted.gone());
    this.#wake();
  }

  /** The node's links, addresses, routes and neighbours now. */
  onKernel(state: KernelState): void {
    this.#kernel = state;
    const value = nodeStateOf(this.#options.node, state);
    this.#queue.push({ kind: "NodeState", key: value.name, value, refused: false, issues: [] });
    this.#wake();
  }

  /** What a status shows. */
  view(): AgentView {
    const plan = () => this.#world.plan(this.#objectIssues);
    return {
      journal: this.#journal,
      objectsSynced: this.#objectsSynced,
      objectIssues: this.#objectIssues,
      kernel: this.#kernel,
      plan: this.#journal.turns === 0 ? undefined : plan,
      desired: this.#desired,
      nodes: this.#world.nodes(),
      policies: this.#world.policies(),
      admitted: this.#admitted,
      rows: this.#rowCount,
      rowChanges: this.#trail.total,
      lameDucks: this.#ducks?.rows().length ?? 0,
    };
  }

  /** Packets by reason; empty without a datapath of ours, and where it cannot be read. */
  async counters(): Promise<Map<string, number>> {
    try {
      return (await this.#datapath?.counters()) ?? new Map<string, number>();
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      this.#options.log("counters", { error: error.message, remedy: error.remedy });
      return new Map();
    }
  }

  /** Ends; what was programmed keeps working. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.close();
    await this.#opening;
    await this.#applier?.close();
    this.#saveOwners();
    this.#trail.tell();
    this.#datapath?.close();
    this.#policyMaps.close();
  }

  /** Rows that this node should no longer have may still be used: others hear of it later (8.6). */
  async #adoptRows(): Promise<void> {
    const found = this.#policyMaps.rows().catch((error: unknown) => {
      // Writing them will meet the same, and say so.
      if (error instanceof OperationError) return [];
      throw error;
    });
    this.#ducks = new LameDucks(await found);
    this.#wake();
  }

  #wake(): void {
    if (this.#turnQueued || this.#closed) return;
    this.#turnQueued = true;
    setImmediate(() => {
      this.#turnQueued = false;
      if (!this.#closed) this.#turn();
    });
  }

  /** Takes everything that is queued; awaits nothing. */
  #turn(): void {
    const begin = performance.now();
    const taken = this.#world.take(this.#queue.splice(0));
    this.#passed.push(...taken.passed);
    this.#trail.notePolicies(taken.policies);
    if (!this.#objectsSynced || this.#kernel === undefined || this.#ducks === undefined) return;
    this.#save(() => this.#accepted.save());
    // Before rows are written, by which flows may begin.
    this.#saveOwners();
    this.#submit(this.#world.admittedRows(), this.#kernel, this.#ducks);
    this.#changedMs = undefined;
    this.#journal.noteTurn(performance.now() - begin);
  }

  #submit(admitted: AdmittedRows, kernel: KernelState, ducks: LameDucks): void {
    const { self } = this.#world;
    const passed = new Set(this.#passed);
    // Rows of an address's former owner would serve the next one (rule 8.10).
    const isElsewhere = (source: Address) =>
      this.#world.isElsewhere(source) && !passed.has(source);
    const rows = ducks.keep(admitted.rows, { nowMs: performance.now(), isElsewhere });
    this.#admitted = admitted.rows;
    this.#rowCount = rows.length;
    const { nextMs } = ducks;
    const leftMs = (nextMs ?? 0) - performance.now() + 1;
    if (nextMs !== undefined) this.#timers.later("lame ducks", leftMs, () => this.#wake());
    const desired = { rows, kernel, prune: true, sinceMs: this.#changedMs };
    if (this.#options.datapath === "none") {
      this.#applier?.submit({ ...desired, datapath: undefined }, this.#passed.splice(0));
      return;
    }
    if (this.#datapath === undefined || this.#datapath.self !== self) {
      return this.#open(self, kernel);
    }
    const now = { rows, held: admitted.held, kernel };
    this.#desired = this.#desiredDatapath(this.#datapath, now);
    if (this.#desired === undefined) return;
    this.#applier?.submit({ ...desired, datapath: this.#desired }, this.#passed.splice(0));
  }

  #desiredDatapath(datapath: Datapath, now: RowsNow): NodeDatapath | undefined {
    const missing = addressesToProbe(now.kernel, this.#world.ownAddresses());
    if (missing.length > 0) this.#options.probe(missing);
    const desired = this.#world.datapath(datapath, now);
    if (desired !== undefined) return desired;
    const target = "the cluster";
    this.#fail("prefixes", new OperationError({ code: "NoCluster", op: "plan", target }));
    return undefined;
  }

  /** Opens the datapath once this node's address is known; the next turn then uses it. */
  #open(self: Address | undefined, kernel: KernelState): void {
    if (self === undefined) {
      const target = `Node ${this.#options.node}`;
      this.#fail("node", new OperationError({ code: "NoNodeAddress", op: "plan", target }));
      return;
    }
    this.#opening ??= this.#replaceDatapath(self, kernel)
      .then(() => this.#wake())
      .catch((error: unknown) => {
        if (!(error instanceof OperationError)) throw error;
        this.#fail("programs", error);
        this.#timers.later("open", OPEN_RETRY_MS, () => this.#wake());
      })
      .finally(() => (this.#opening = undefined));
  }

  async #replaceDatapath(self: Address, kernel: KernelState): Promise<void> {
    this.#passed.push(...((await this.#applier?.close()) ?? []));
    this.#datapath?.close();
    this.#datapath = undefined;
    this.#datapath = await Datapath.open(this.#options, self, kernel);
    this.#applier = this.#newApplier(this.#datapath.steps(this.#rowsStep));
  }

  #newApplier(steps: readonly Step[]): Applier {
    return new Applier({
      steps,
      onStep: (name) => {
        this.#journal.noteStep(name);
        this.#options.onStep?.(name);
      },
      onApplied: (tookMs) => this.#journal.noteApplied(tookMs),
      onRun: (failure) => {
        if (failure !== undefined) return this.#fail(failure.step, failure.error);
        this.#saveOwners();
        if (this.#journal.noteRun()) this.#options.log("applied", {});
        this.#options.onRun?.();
      },
    });
  }

  /** Compares with the kernel, whoever changed it; what differs is written again. */
  onDoubt(): void {
    this.#policyMaps.doubt();
    const doubted = this.#datapath?.doubt() ?? Promise.resolve();
    // What cannot be read now is looked at by the run that follows.
    void doubted.catch(() => undefined).then(() => this.#wake());
  }

  /** Successors not before former flows are forgotten: killed meanwhile, the next agent does it. */
  #saveOwners(): void {
    const waiting = new Set(this.#passed);
    const applier = this.#applier;
    const isPassing = (address: Address) =>
      waiting.has(address) || applier?.isPassing(address) === true;
    this.#save(() => this.#owners.save(isPassing));
  }

  #save(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      this.#fail("state", error);
    }
  }

  #fail(step: string, error: OperationError): void {
    if (!this.#journal.noteFailure(step, error)) return;
    this.#options.onRun?.();
    this.#options.log("failed", { step, error: error.message, remedy: error.remedy });
  }
}
