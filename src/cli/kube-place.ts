// The cluster that a command is to change or to serve: never mistaken, so there is always one or an
// error.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Place } from "../drivers/kube/access.ts";
import { isInCluster } from "../drivers/kube/in-cluster.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { placeOf } from "./input.ts";

/** The one that is asked for, else the one that this Pod runs in, else the one kubectl takes. */
export function clusterPlace(args: Arguments): Place {
  const asked = placeOf(args);
  if (asked !== undefined) return asked;
  if (isInCluster()) return { kind: "in-cluster" };
  const path = join(homedir(), ".kube/config");
  if (existsSync(path)) return { kind: "kubeconfig", path, context: undefined };
  throw new UsageError("nothing says which cluster is meant", "Give --kubeconfig PATH.");
}
