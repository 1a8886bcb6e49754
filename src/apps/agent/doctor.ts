// Checks a node before anything on it is changed: `sluice doctor` shows all that is found, and an
// agent does not start where something is an error. Only reads; what it tries, it tries in a
// network namespace that ends with the trial.

import { readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import type { DatapathSettings } from "../../reconcile/datapath.ts";
import {
  checkConntrackUse,
  checkForwarding,
  checkReversePath,
  checkTracking,
} from "./doctor/check-conntrack.ts";
import { checkFeatures, checkPolicyMapBatches } from "./doctor/check-features.ts";
import { checkMarks, checkRouting } from "./doctor/check-marks.ts";
import { checkBypass, checkCni, checkTunnel } from "./doctor/check-network.ts";
import { checkBpfFileSystem, checkPinnedMaps } from "./doctor/check-pins.ts";
import {
  checkCapabilities,
  checkKernel,
  checkLibbpf,
  checkObject,
  checkTools,
} from "./doctor/check-process.ts";
import type { Finding } from "./doctor/finding.ts";
import { readNetworkFacts } from "./doctor/network-facts.ts";

export type { Finding, Level } from "./doctor/finding.ts";

export interface DoctorOptions {
  /** `none`: only policy maps are written, so only what they need is checked. */
  readonly datapath: "sluice" | "none";
  readonly settings: DatapathSettings;
  readonly bpfDirectory: string;
  readonly policyMapDirectory: string;
  /** The compiled programs. */
  readonly object: string;
}

/** Everything that was found, in a fixed order of checks; each of them says something. */
export async function runChecks(options: DoctorOptions): Promise<Finding[]> {
  const status = fileText("/proc/self/status") ?? "";
  const findings = [
    checkKernel(release()),
    checkCapabilities(status),
    checkLibbpf(),
    ...checkBpfFileSystem(options),
  ];
  const failed = (check: string) =>
    findings.some((one) => one.check === check && one.level === "error");
  // Without them nothing more can be said of maps.
  if (!failed("libbpf") && !failed("capabilities")) {
    findings.push(await checkPolicyMapBatches());
    findings.push(...checkPinnedMaps(options, options.datapath));
  }
  if (options.datapath === "none") return findings;
  return [...findings, ...(await checkDatapath(options, { capable: !failed("capabilities") }))];
}

/** Those for which an agent must not start. */
export function errorsOf(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ level }) => level === "error");
}

/** What our own datapath needs beyond the maps. Who is not `capable` cannot try anything. */
async function checkDatapath(
  { settings, object }: DoctorOptions,
  { capable }: { readonly capable: boolean },
): Promise<Finding[]> {
  const path = process.env["PATH"] ?? "";
  const tried = capable ? checkFeatures(path) : [];
  const [facts, features] = await Promise.all([readNetworkFacts(path), tried]);
  const udp = ["udp", "udp6"].map((name) => fileText(`/proc/net/${name}`) ?? "").join("");
  const conntrack = {
    count: fileNumber("/proc/sys/net/netfilter/nf_conntrack_count"),
    max: fileNumber("/proc/sys/net/netfilter/nf_conntrack_max"),
  };
  return [
    ...checkTools(path),
    checkObject(object),
    ...features,
    checkCni(facts),
    ...checkBypass(facts),
    ...checkMarks(facts, settings),
    ...checkRouting(facts, settings),
    ...checkTunnel(facts, udp, settings),
    ...checkForwarding(
      fileText("/proc/sys/net/ipv4/ip_forward"),
      fileText("/proc/sys/net/ipv6/conf/all/forwarding"),
    ),
    checkReversePath(reversePathFilters()),
    checkConntrackUse(conntrack),
    checkTracking(facts, conntrack, settings.nftTable),
  ];
}

const DEVICES = "/proc/sys/net/ipv4/conf";

function reversePathFilters(): Map<string, number> {
  const values = new Map<string, number>();
  for (const device of readdirSync(DEVICES)) {
    const value = fileNumber(`${DEVICES}/${device}/rp_filter`);
    // A device may go meanwhile.
    if (value !== undefined) values.set(device, value);
  }
  return values;
}

function fileNumber(path: string): number | undefined {
  const text = fileText(path);
  return text === undefined ? undefined : Number(text);
}

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
