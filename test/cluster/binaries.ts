// Where the test cluster's programs are. Building them is the business of build.sh, which
// `make cluster-binaries` runs.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../support/run-cli.ts";

const SCRIPT = join(ROOT, "test/cluster/build.sh");

let found: string | undefined;

/** The directory of etcd, kube-apiserver and kubectl, their checksums verified. */
function findDirectory(): string | undefined {
  try {
    found ??= execFileSync(SCRIPT, ["--find"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
  return found;
}

/** Why there can be no cluster here; undefined: there can. */
export function missingForCluster(): string | undefined {
  if (findDirectory() !== undefined) return undefined;
  return "etcd and kube-apiserver are not built; `make cluster-binaries` says why it cannot";
}

export function binary(name: "etcd" | "kube-apiserver" | "kubectl"): string {
  const directory = findDirectory();
  if (directory === undefined) throw new Error(missingForCluster());
  return join(directory, name);
}
