// A test cluster to play with: starts it, writes its kubeconfig to the path that is given, with a
// kubectl beside it, and runs until it is told to end. The demo uses it as well.
//
//   node test/cluster/serve.ts DIRECTORY

import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { binary, missingForCluster } from "./binaries.ts";
import { startCluster } from "./cluster.ts";

const directory = process.argv[2] ?? "";
const missing = missingForCluster();
if (directory === "" || missing !== undefined) {
  console.error(missing ?? "name a directory");
  process.exit(2);
}
const ends: (() => Promise<void> | void)[] = [];
const end = async () => {
  for (const one of ends.reverse()) await one();
  process.exit(0);
};
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end());
const cluster = await startCluster({ after: (one) => void ends.push(one) });
mkdirSync(directory, { recursive: true });
symlinkSync(binary("kubectl"), join(directory, "kubectl"));
copyFileSync(cluster.kubeconfig, join(directory, "kubeconfig"));
console.log(`KUBECONFIG=${join(directory, "kubeconfig")}`);
setInterval(() => undefined, 2 ** 30);
