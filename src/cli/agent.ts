// `sluice agent`: runs this node until it is told to end.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourcePlace } from "../apps/agent/object-source.ts";
import { runAgent } from "../apps/agent/run.ts";
import { isInCluster } from "../drivers/kube/in-cluster.ts";
import { DISTRIBUTIONS } from "../model/policy.ts";
import { ENDPOINT_SOURCES } from "../sources/kubernetes/kinds.ts";
import { agentSettings } from "./agent-settings.ts";
import type { Arguments } from "./arguments.ts";
import { clusterCIDRs } from "./cluster-cidr.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import { isLive, placeOf } from "./input.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

/** The compiled programs; `make build` leaves them in dist/, two folders above this file. */
const OBJECT = fileURLToPath(new URL("../../dist/sluice.bpf.o", import.meta.url));

/** Runs until SIGTERM or SIGINT; what was programmed stays. */
export async function run(args: Arguments, { tell }: Terminal): Promise<Exit> {
  const bpfDirectory = args.text("bpf-dir") ?? "";
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  try {
    await runAgent({
      source: sourceOf(args),
      node: args.text("node") ?? "",
      version: version(),
      datapath: args.choice("datapath", ["sluice", "none"]),
      bpfDirectory,
      policyMapDirectory: args.text("map-dir") || join(bpfDirectory, "tc/globals"),
      stateDirectory: args.text("state-dir") ?? "",
      rows: args.choice("rows", ["needed", "all"]),
      distribution: args.choice("distribution", DISTRIBUTIONS),
      mapSize: args.count("map-size"),
      legacyV4: args.has("legacy-v4-map"),
      clusterCIDRs: clusterCIDRs(args),
      settings: agentSettings(args),
      object: OBJECT,
      statusListen: args.text("status-listen") ?? "",
      metricsListen: args.text("metrics-listen") ?? "",
      killAfterStep: Number(process.env["SLUICE_TEST_KILL_AFTER_STEP"] ?? 0),
      signal: stop.signal,
      tell,
    });
    return EXIT.ok;
  } catch (error) {
    throw usageErrorOf(error);
  }
}

/** One source: a directory, the cluster of a kubeconfig, or the one that this Pod runs in. */
function sourceOf(args: Arguments): SourcePlace {
  const path = args.text("source");
  if (path !== undefined) {
    if (!isLive(args)) return { kind: "directory", path };
    throw new UsageError("--source and --kubeconfig or --context exclude each other");
  }
  const endpoints = args.choice("endpoints", ENDPOINT_SOURCES);
  const named = isLive(args) ? placeOf(args) : undefined;
  if (named !== undefined) return { kind: "kubernetes", place: named, endpoints };
  if (isInCluster()) return { kind: "kubernetes", place: { kind: "in-cluster" }, endpoints };
  throw new UsageError(
    "nothing says where the cluster's objects are",
    "Give --source DIR or --kubeconfig PATH; in a Pod, its ServiceAccount is enough.",
  );
}
