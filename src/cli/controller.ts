// `sluice controller`: runs until it is told to end.

import { hostname } from "node:os";
import { runController } from "../apps/controller/run.ts";
import { DISTRIBUTIONS } from "../model/policy.ts";
import { ENDPOINT_SOURCES } from "../sources/kubernetes/kinds.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, usageErrorOf } from "./command.ts";
import { clusterPlace } from "./kube-place.ts";
import type { Terminal } from "./terminal.ts";

/** Runs until SIGTERM or SIGINT. */
export async function run(args: Arguments, { tell }: Terminal): Promise<Exit> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  try {
    await runController({
      place: clusterPlace(args),
      endpoints: args.choice("endpoints", ENDPOINT_SOURCES),
      distribution: args.choice("distribution", DISTRIBUTIONS),
      rows: args.choice("rows", ["needed", "all"]),
      mapSize: args.count("map-size"),
      namespace: args.text("namespace") ?? "",
      identity: args.text("identity") || hostname(),
      metricsListen: args.text("metrics-listen") ?? "",
      signal: stop.signal,
      tell,
    });
    return EXIT.ok;
  } catch (error) {
    throw usageErrorOf(error);
  }
}
