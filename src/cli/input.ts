// What a command is to read: files, or a live cluster, of whose client nothing is loaded here.

import { homedir } from "node:os";
import { join } from "node:path";
import type { Place } from "../drivers/kube/access.ts";
import type { EndpointSource } from "../sources/kubernetes/kinds.ts";
import { ENDPOINT_SOURCES } from "../sources/kubernetes/kinds.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";

export type Input =
  | { readonly kind: "files"; readonly paths: readonly string[] }
  | {
      readonly kind: "live";
      readonly place: Place;
      readonly endpoints: EndpointSource;
    };

/** Files where some are named, else the cluster of a kubeconfig. Throws UsageError for neither. */
export function inputOf(args: Arguments): Input {
  const paths = args.all("file");
  if (paths.length === 0) {
    const place = placeOf(args);
    const endpoints = args.choice("endpoints", ENDPOINT_SOURCES);
    if (place !== undefined) return { kind: "live", place, endpoints };
    const example = "For example: sluice plan -f examples/cluster -f examples/policy.yaml";
    throw new UsageError("-f PATH is required, or --kubeconfig PATH for a live cluster", example);
  }
  if (isLive(args)) throw new UsageError("-f and --kubeconfig or --context exclude each other");
  return { kind: "files", paths };
}

/** True if the command line asks for a live cluster. */
export function isLive(args: Arguments): boolean {
  return args.text("kubeconfig") !== undefined || args.text("context") !== undefined;
}

/** The cluster that is asked for, or that KUBECONFIG names; undefined: none is. */
export function placeOf(args: Arguments): Place | undefined {
  const named = args.text("kubeconfig");
  const context = args.text("context");
  const set = process.env["KUBECONFIG"] || undefined;
  const home = context === undefined ? undefined : join(homedir(), ".kube/config");
  const path = named ?? set ?? home;
  return path === undefined ? undefined : { kind: "kubeconfig", path, context };
}
