// Which cluster a command means: --kubeconfig and --context, else what kubectl would take, else the
// cluster that this process runs in.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Place } from "../drivers/kube/access.ts";
import { isInCluster } from "../drivers/kube/access.ts";
import type { Arguments } from "./arguments.ts";

/** KUBECONFIG is the default of --kubeconfig. */
export function placeOf(args: Arguments): Place {
  const given = args.text("kubeconfig") ?? "";
  const standard = join(homedir(), ".kube/config");
  const context = args.text("context") || undefined;
  if (given === "" && context === undefined && !existsSync(standard) && isInCluster()) {
    return { kind: "in-cluster" };
  }
  return { kind: "kubeconfig", path: given || standard, context };
}
