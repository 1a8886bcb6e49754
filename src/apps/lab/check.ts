// `sluice lab check`: every pod opens a flow of every protocol to the server; what the server and
// the sniffer saw is compared with the plan.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Expectation } from "./expectation.ts";
import { expectations } from "./expectation.ts";
import { LabError } from "./lab-error.ts";
import { pause } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import { agentRuns } from "./processes.ts";
import { programCommand } from "./programs.ts";
import type { Sniffed } from "./sniffer.ts";
import { Sniffer } from "./sniffer.ts";
import type { Topology } from "./topology.ts";
import { SERVER_PORT } from "./topology.ts";

export const PROTOCOLS = ["TCP", "UDP", "ICMP"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** One flow of the check. */
export interface Finding {
  readonly protocol: Protocol;
  /** The source address that was seen outside; null: no answer, or nothing arrived. */
  readonly seen: string | null;
  readonly fits: boolean;
}

export interface CheckedPath {
  readonly expected: Expectation;
  /** In the order of `PROTOCOLS`. */
  readonly findings: readonly Finding[];
}

export interface Leak {
  readonly address: string;
  readonly packets: number;
}

export interface CheckResult {
  readonly paths: readonly CheckedPath[];
  /** Packets that the sniffer saw. */
  readonly packets: number;
  /** Packets that it missed; more than 0 fails the check. */
  readonly missed: number;
  /** Source addresses that no plan promised, with their packets. */
  readonly leaks: readonly Leak[];
  /** Those of earlier attempts, when agents may have followed an older plan: told, not judged. */
  readonly leaksBefore: readonly Leak[];
  /** Nodes on the way of flows that do not fit where no agent runs. */
  readonly agentless: readonly string[];
  /** How often it was tried, because agents may be a moment behind. */
  readonly attempts: number;
  readonly fits: boolean;
}

const PROBE_MS = 2500;
const PING_S = 2;
const CATCH_UP_MS = 8000;
const AGAIN_MS = 250;

/** Probes until everything fits, for some seconds at most; with `once` a single time. */
export async function check(
  place: LabPlace,
  topology: Topology,
  { once }: { readonly once: boolean },
): Promise<CheckResult> {
  const deadline = performance.now() + CATCH_UP_MS;
  const before = new Map<string, number>();
  for (let attempts = 1; ; attempts++) {
    const result = await attempt(place, topology);
    if (result.fits || once || performance.now() > deadline) {
      const agentless = agentlessOn(place, result.paths);
      return { ...result, agentless, attempts, leaksBefore: leaksOf(before, new Set()) };
    }
    for (const { address, packets } of result.leaks) {
      before.set(address, (before.get(address) ?? 0) + packets);
    }
    await pause(AGAIN_MS);
  }
}

/** Only where something is wrong: what the kernel has works without an agent. */
function agentlessOn(place: LabPlace, paths: readonly CheckedPath[]): string[] {
  const wrong = paths.filter(({ findings }) => findings.some((one) => !one.fits));
  const nodes = new Set(wrong.flatMap(({ expected: { node, gateway } }) => [node, gateway]));
  nodes.delete("");
  return [...nodes].filter((node) => agentRuns(place, node) === undefined).sort();
}

type Attempt = Omit<CheckResult, "agentless" | "attempts" | "leaksBefore">;

async function attempt(place: LabPlace, topology: Topology): Promise<Attempt> {
  const expected = await expectations(place, topology);
  if (expected.length === 0) throw new LabError("there is no pod", "Add one: sluice lab pod add");
  const pods = [...new Set(expected.map(({ pod }) => pod))];
  const identifiers = chooseIdentifiers(expected.length);
  const { sniffed, value } = await Sniffer.during({ place, topology }, () =>
    Promise.all([
      Promise.all(pods.map((pod) => probe(place, topology, pod))),
      Promise.all(expected.map((one, i) => ping(place, one, identifiers[i] as number))),
    ]),
  );
  const [answers] = value;
  const byPod = new Map(pods.map((pod, i) => [pod, answers[i] as readonly Seen[]]));
  const paths = expected.map((one, i): CheckedPath => {
    const said = (byPod.get(one.pod) ?? []).filter(({ server }) => server === one.server);
    const seenBy = (protocol: Protocol) =>
      protocol === "ICMP"
        ? (sniffed.echoes.get(identifiers[i] as number) ?? null)
        : (said.find((seen) => seen.protocol === protocol)?.address ?? null);
    const findings = PROTOCOLS.map((protocol) => {
      const seen = seenBy(protocol);
      return { protocol, seen, fits: fits(one, seen) };
    });
    return { expected: one, findings };
  });
  return { paths, ...judgeSniffed(sniffed, expected, paths) };
}

function judgeSniffed(
  { sources, missed }: Sniffed,
  expected: readonly Expectation[],
  paths: readonly CheckedPath[],
): Pick<CheckResult, "packets" | "missed" | "leaks" | "fits"> {
  const leaks = leaksOf(sources, promisedBy(expected));
  const packets = [...sources.values()].reduce((sum, count) => sum + count, 0);
  const all = paths.every(({ findings }) => findings.every((finding) => finding.fits));
  return { packets, missed, leaks, fits: all && leaks.length === 0 && missed === 0 };
}

/** Every source address that the plan lets the server see. */
export function promisedBy(expected: readonly Expectation[]): Set<string> {
  return new Set(expected.flatMap(({ addresses }) => addresses));
}

/** The sources that nobody promised, the busiest first. */
export function leaksOf(
  sources: ReadonlyMap<string, number>,
  promised: ReadonlySet<string>,
): Leak[] {
  const leaks = [...sources].filter(([address]) => !promised.has(address));
  return leaks
    .map(([address, packets]) => ({ address, packets }))
    .sort((a, b) => b.packets - a.packets);
}

function fits({ kind, addresses }: Expectation, seen: string | null): boolean {
  return kind === "drop" ? seen === null : seen !== null && addresses.includes(seen);
}

interface Seen {
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  readonly address: string | null;
}

const run = promisify(execFile);

async function probe(
  place: LabPlace,
  { server }: Topology,
  pod: string,
): Promise<readonly Seen[]> {
  const words = [String(SERVER_PORT), String(PROBE_MS), ...server];
  const command = programCommand("probe", words);
  try {
    const { stdout } = await run("nsenter", [`--net=${place.path(podMember(pod))}`, ...command]);
    return JSON.parse(stdout) as readonly Seen[];
  } catch (error) {
    throw new LabError(`the probe in ${pod} failed: ${(error as Error).message}`);
  }
}

/** An echo request with this identifier; who sees it, and from where, the sniffer says. */
async function ping(place: LabPlace, { pod, server }: Expectation, id: number): Promise<void> {
  const options = ["-c", "1", "-W", String(PING_S), "-e", String(id), "-n", "-q"];
  const namespace = `--net=${place.path(podMember(pod))}`;
  // No answer is an answer.
  await run("nsenter", [namespace, "ping", ...options, server]).catch(() => undefined);
}

/** As many different ones as asked for; not those of the last check, which conntrack knows. */
function chooseIdentifiers(count: number): number[] {
  const first = 1 + Math.floor(Math.random() * (0xffff - count));
  return Array.from({ length: count }, (_, i) => first + i);
}
