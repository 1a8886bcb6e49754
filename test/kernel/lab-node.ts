// A node of a running lab from its inside: shell in its namespace, what its datapath counted, and
// its guards taken away, which is the control of every test that counts nothing.

import { join } from "node:path";
import { runScript } from "../../src/apps/lab/namespaces.ts";
import { BpfMap } from "../../src/drivers/kernel/bpf-map.ts";
import { parseTable } from "../../src/drivers/kernel/nft.ts";
import {
  ABI_DIRECTORY,
  COUNTED_REASONS,
  COUNTERS,
} from "../../src/reconcile/datapath-maps.ts";
import type { Lab } from "./live-lab.ts";

/** Runs lines of shell in a member's namespace: a node, the server, a pod. */
export function shellOn({ place }: Lab, member: string, script: string): Promise<string> {
  return runScript(place.namespace(member), script);
}

/** Packets by reason, of programs and nftables; with or without an agent. */
export async function countersOf(lab: Lab, node: string): Promise<Map<string, number>> {
  const text = await shellOn(lab, node, "nft -j list counters table inet sluice");
  return new Map([...parseTable(text).counters, ...programCounters(lab, node)]);
}

function programCounters({ place }: Lab, node: string): [string, number][] {
  const map = BpfMap.open(join(place.node(node).bpf, ABI_DIRECTORY, COUNTERS.name), "read");
  try {
    return COUNTED_REASONS.map((name, reason) => {
      const packets = map.lookupEachCPU(new Uint8Array(new Uint32Array([reason]).buffer));
      return [name, Number(packets.reduce((sum, one) => sum + one, 0n))];
    });
  } finally {
    map.close();
  }
}

/** How many more packets the nodes have counted under these reasons after `work`. */
export async function countedDuring(
  lab: Lab,
  { nodes, reasons }: { readonly nodes: readonly string[]; readonly reasons: readonly string[] },
  work: () => Promise<unknown>,
): Promise<number> {
  const sum = async () => {
    const all = await Promise.all(nodes.map((node) => countersOf(lab, node)));
    const counts = all.flatMap((counters) => reasons.map((reason) => counters.get(reason) ?? 0));
    return counts.reduce((total, count) => total + count, 0);
  };
  const before = await sum();
  await work();
  return (await sum()) - before;
}

/** Counts what reaches these members and fits nft's matches, from now on; how many, by match. */
export async function countArrivals(
  lab: Lab,
  members: readonly string[],
  matches: readonly string[],
): Promise<() => Promise<number[]>> {
  const script = `nft -f - <<'END'
add table inet arrivals
delete table inet arrivals
add table inet arrivals
add chain inet arrivals in { type filter hook prerouting priority raw ; }
${matches.map((match) => `add rule inet arrivals in ${match} counter`).join("\n")}
END`;
  await Promise.all(members.map((member) => shellOn(lab, member, script)));
  return async () => {
    const list = "nft list table inet arrivals";
    const texts = await Promise.all(members.map((member) => shellOn(lab, member, list)));
    const counts = texts.map((text) =>
      [...text.matchAll(/counter packets (\d+)/g)].map(([, packets]) => Number(packets)),
    );
    return matches.map((_, i) => counts.reduce((sum, count) => sum + (count[i] ?? 0), 0));
  };
}
