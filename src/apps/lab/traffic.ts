// `sluice lab traffic`: long-lived flows from every pod while somebody changes things, with the
// plan and the sniffer beside them.

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { InputError } from "../../sources/files.ts";
import type { Leak } from "./check.ts";
import { leaksOf, promisedBy } from "./check.ts";
import type { Expectation } from "./expectation.ts";
import { expectations } from "./expectation.ts";
import { LabError } from "./lab-error.ts";
import { objectsOf } from "./lab-objects.ts";
import { pause } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import { programCommand } from "./programs.ts";
import type { Sniffed } from "./sniffer.ts";
import { Sniffer } from "./sniffer.ts";
import { loadPods } from "./state.ts";
import type { Topology } from "./topology.ts";
import { SERVER_PORT } from "./topology.ts";

/** One long-lived flow, as server/flows.ts reports it. */
export interface FlowReport {
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  readonly sent: number;
  readonly answered: number;
  readonly wrong: number;
  readonly gapMs: number;
  readonly broken: string | null;
  readonly first: string | null;
  readonly last: string | null;
}

/** All flows of one pod to one address of the server. */
export interface TrafficPath {
  readonly pod: string;
  readonly server: string;
  readonly flows: readonly FlowReport[];
  /** Source addresses of the connections that were opened meanwhile, in order; null: no answer. */
  readonly opened: readonly (string | null)[];
  /** What the plan said at the beginning and says at the end; undefined: the pod is not planned. */
  readonly before: Expectation | undefined;
  readonly after: Expectation | undefined;
}

export interface TrafficResult {
  readonly paths: readonly TrafficPath[];
  /** Pods that were deleted meanwhile: of their flows nothing is said. */
  readonly gone: readonly string[];
  readonly packets: number;
  readonly missed: number;
  /** Source addresses that no plan of the whole time promised. */
  readonly leaks: readonly Leak[];
  /** How often the plan changed. */
  readonly changes: number;
  readonly fits: boolean;
}

/** The sums of all pods so far. */
export interface TrafficProgress {
  readonly flows: number;
  readonly established: number;
  readonly broken: number;
  readonly sent: number;
  readonly answered: number;
  readonly changes: number;
}

export interface TrafficOptions {
  readonly seconds: number;
  /** Of each protocol, family and pod. */
  readonly flows: number;
  readonly onProgress: (progress: TrafficProgress) => void;
}

/** Runs the flows for their time. Throws LabError if there is nothing to run. */
export async function runTraffic(
  place: LabPlace,
  topology: Topology,
  options: TrafficOptions,
): Promise<TrafficResult> {
  const pods = loadPods(place).map(({ name }) => name);
  if (pods.length === 0) throw new LabError("there is no pod", "Add one: sluice lab pod add");
  const plans = await PlanWatch.start(place, topology);
  const { sniffed, value: clients } = await Sniffer.during({ place, topology }, async () => {
    const all = pods.map((pod) => new Client({ place, topology, pod, options }));
    await untilEnded(all, plans, options);
    return all;
  });
  const left = new Set(loadPods(place).map(({ name }) => name));
  return judge({ clients: clients.filter(({ pod }) => left.has(pod)), plans, sniffed, pods });
}

const WATCH_MS = 200;

async function untilEnded(
  clients: readonly Client[],
  plans: PlanWatch,
  options: TrafficOptions,
): Promise<void> {
  // A terminal sends its interrupt to the clients too, kill(1) does not: they end early and report.
  const end = () => clients.forEach((client) => client.end());
  process.on("SIGINT", end);
  let running = true;
  const all = Promise.all(clients.map(({ ended }) => ended)).finally(() => (running = false));
  while (running) {
    await Promise.race([all, pause(WATCH_MS)]);
    await plans.look();
    options.onProgress(progressOf(clients, plans.changes, options));
  }
  process.off("SIGINT", end);
}

/** The plan while it changes: what it promised at any time, and where it stands. */
class PlanWatch {
  readonly #place: LabPlace;
  readonly #topology: Topology;
  readonly promised = new Set<string>();
  first: readonly Expectation[] = [];
  last: readonly Expectation[] = [];
  changes = -1;
  #fingerprint = "";

  private constructor(place: LabPlace, topology: Topology) {
    this.#place = place;
    this.#topology = topology;
  }

  static async start(place: LabPlace, topology: Topology): Promise<PlanWatch> {
    const watch = new PlanWatch(place, topology);
    await watch.look();
    watch.first = watch.last;
    return watch;
  }

  /** Plans anew if an object changed. */
  async look(): Promise<void> {
    const fingerprint = await (await objectsOf(this.#place)).fingerprint();
    if (fingerprint === this.#fingerprint) return;
    try {
      this.last = await expectations(this.#place, this.#topology);
    } catch (error) {
      // A file went while it was about to be read: next time.
      if (error instanceof InputError) return;
      throw error;
    }
    this.#fingerprint = fingerprint;
    this.changes++;
    for (const address of promisedBy(this.last)) this.promised.add(address);
  }
}

interface ClientInput {
  readonly place: LabPlace;
  readonly topology: Topology;
  readonly pod: string;
  readonly options: TrafficOptions;
}

type ClientRecord =
  | ({ readonly kind: "progress" } & Omit<TrafficProgress, "flows" | "changes">)
  | { readonly kind: "new"; readonly server: string; readonly address: string | null }
  | { readonly kind: "flows"; readonly flows: readonly FlowReport[] };

/** The process that runs the flows of one pod. */
class Client {
  readonly pod: string;
  readonly servers: readonly string[];
  readonly opened: { readonly server: string; readonly address: string | null }[] = [];
  /** Undefined: it has not reported. */
  flows: readonly FlowReport[] | undefined;
  progress: Omit<TrafficProgress, "flows" | "changes"> | undefined;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  constructor({ place, topology, pod, options }: ClientInput) {
    this.pod = pod;
    this.servers = topology.server;
    const words = [SERVER_PORT, options.seconds, options.flows, ...topology.server].map(String);
    const namespace = `--net=${place.path(podMember(pod))}`;
    const child = spawn("nsenter", [namespace, ...programCommand("flows", words)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => this.#take(JSON.parse(line) as ClientRecord));
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", () => resolve());
    });
  }

  /** Makes it report before its time. */
  end(): void {
    this.#child.kill("SIGINT");
  }

  #take(record: ClientRecord): void {
    if (record.kind === "new") this.opened.push(record);
    else if (record.kind === "flows") this.flows = record.flows;
    else this.progress = record;
  }
}

function progressOf(
  clients: readonly Client[],
  changes: number,
  { flows }: TrafficOptions,
): TrafficProgress {
  const sum = (key: "established" | "broken" | "sent" | "answered") =>
    clients.reduce((total, { progress }) => total + (progress?.[key] ?? 0), 0);
  return {
    // TCP and UDP.
    flows: clients.reduce((total, { servers }) => total + 2 * flows * servers.length, 0),
    established: sum("established"),
    broken: sum("broken"),
    sent: sum("sent"),
    answered: sum("answered"),
    changes,
  };
}

interface Outcome {
  readonly clients: readonly Client[];
  readonly plans: PlanWatch;
  readonly sniffed: Sniffed;
  readonly pods: readonly string[];
}

function judge({ clients, plans, sniffed, pods }: Outcome): TrafficResult {
  const paths = clients.flatMap(({ pod, servers, flows, opened }) => {
    if (flows === undefined) throw new LabError(`the flows of ${pod} were ended from outside`);
    const planned = (all: readonly Expectation[], server: string) =>
      all.find((one) => one.pod === pod && one.server === server);
    return servers.map((server) => ({
      pod,
      server,
      flows: flows.filter((flow) => flow.server === server),
      opened: opened.filter((one) => one.server === server).map(({ address }) => address),
      before: planned(plans.first, server),
      after: planned(plans.last, server),
    }));
  });
  const leaks = leaksOf(sniffed.sources, plans.promised);
  const { missed } = sniffed;
  return {
    paths,
    gone: pods.filter((pod) => !clients.some((client) => client.pod === pod)),
    packets: [...sniffed.sources.values()].reduce((sum, count) => sum + count, 0),
    missed,
    leaks,
    changes: plans.changes,
    fits: leaks.length === 0 && missed === 0 && paths.every(pathFits),
  };
}

/** True if nothing was lost, broken or moved, and the newest flow is where the plan wants it. */
export function pathFits({ flows, opened, after }: TrafficPath): boolean {
  const newest = opened.at(-1) ?? null;
  const whole = flows.every(flowFits);
  if (after === undefined) return whole;
  if (after.kind === "drop") return whole && newest === null;
  return whole && newest !== null && after.addresses.includes(newest);
}

/** True if the flow answered everything, rightly, without a break, and kept its address. */
export function flowFits(flow: FlowReport): boolean {
  const { sent, answered, wrong, broken, first, last } = flow;
  return first !== null && first === last && broken === null && wrong === 0 && sent === answered;
}
