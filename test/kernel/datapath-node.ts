// A node's datapath as kernel tests need it: a few endpoints, gateways and rows, and the programs
// loaded on maps that hold them.

import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NEAR_PREFIXES } from "../../src/net/near.ts";
import type { Row } from "../../src/plan/row.ts";
import { compareRows } from "../../src/plan/row.ts";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { openPolicyMaps } from "../../src/sinks/policy-maps.ts";
import type { Programs, ProgramsOptions } from "../../src/sinks/programs.ts";
import { openPrograms } from "../../src/sinks/programs.ts";
import { present } from "../../src/lib/assert.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { shell } from "./private-netns.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const OBJECT = join(ROOT, "dist/sluice.bpf.o");

/** Why the compiled programs cannot be tested, or undefined: they must be those of the sources. */
export function objectMissing(): string | undefined {
  const newest = globSync("bpf/*.{c,h}", { cwd: ROOT })
    .map((path) => statSync(join(ROOT, path)).mtimeMs)
    .reduce((a, b) => Math.max(a, b), 0);
  if (existsSync(OBJECT) && statSync(OBJECT).mtimeMs >= newest) return undefined;
  return "dist/sluice.bpf.o is missing or older than bpf/: run make build";
}

/** The number of a device in this network namespace. */
export function ifindexOf(name: string): number {
  const [link] = JSON.parse(shell(`ip -json link show dev ${name}`)) as { ifindex: number }[];
  return present(link, name).ifindex;
}

export const SELF = "192.168.1.1";
export const OTHER = "192.168.1.2";
export const THIRD = "192.168.1.3";
export const GATEWAY_INDEX = 5;
export const EGRESS_INDEX = 7;
export const EGRESS_INDEX_V6 = 8;

/** Reasons that only a packet from a tunnel can have: tunnel.test.ts reaches them. */
export const FROM_TUNNEL_REASONS = [
  ...["SpoofedTunnel", "SpoofedReply", "NotServed", "TunnelRequest", "TunnelReply"],
];

/** `device`: that of the pods 10.0.1.5 and fd00:1::5. */
export function sampleDatapath(device: number): NodeDatapath {
  const endpoint = (text: string, node: string, ifindex: number) => ({
    ...{ address: address(text), node: address(node), ifindex },
  });
  return {
    self: address(SELF),
    nodes: [SELF, OTHER, THIRD].map(address),
    clusterPrefixes: [
      ...["10.0.0.0/8", "192.168.1.0/24", "fd00::/16"].map(prefix),
      ...NEAR_PREFIXES,
    ],
    podPrefixes: ["10.0.0.0/8", "fd00::/16"].map(prefix),
    ownPodPrefixes: ["10.0.1.0/24", "fd00:1::/32"].map(prefix),
    endpoints: [
      endpoint("10.0.1.5", SELF, device),
      // Where the other pod of this node is, nobody has found out yet.
      endpoint("10.0.1.6", SELF, 0),
      endpoint("10.0.2.5", OTHER, 0),
      endpoint("fd00:1::5", SELF, device),
      endpoint("fd00:2::5", OTHER, 0),
    ],
    gateways: [{ index: GATEWAY_INDEX, address: address(OTHER) }],
    egressIPs: [
      { index: EGRESS_INDEX, address: address("192.0.2.10"), device: "eth0" },
      { index: EGRESS_INDEX_V6, address: address("2001:db8:f::1"), device: "eth0" },
    ],
    classified: [],
    selected: [],
    podDevices: [device],
  };
}

/** What destinations lead to, for every endpoint of the family; SEMANTICS 7. */
const ROWS: readonly (readonly [destination: string, gateway: string, egress: string])[] = [
  ["203.0.113.0/24", OTHER, "192.0.2.10"],
  ["203.0.113.128/25", "0.0.0.1", "0.0.0.0"],
  ["198.51.100.0/26", SELF, "192.0.2.10"],
  ["198.51.100.64/26", SELF, "0.0.0.0"],
  ["198.51.100.128/26", THIRD, "192.0.2.99"],
  ["198.51.100.192/26", "0.0.0.0", "0.0.0.0"],
  // Wider than the cluster, which stays untouched for all that.
  ["8.0.0.0/5", OTHER, "192.0.2.10"],
  ["2001:db8:1::/64", OTHER, "2001:db8:f::1"],
  ["2001:db8:2::/64", SELF, "2001:db8:f::1"],
  ["2001:db8:3::/64", SELF, "::"],
  ["::/0", OTHER, "2001:db8:f::1"],
];

function sampleRows(sources: readonly string[]): Row[] {
  const rows = sources.flatMap((source) =>
    ROWS.filter(([destination]) => destination.includes(":") === source.includes(":")).map(
      ([destination, gateway, egress]): Row => ({
        source: address(source),
        destination: prefix(destination),
        gatewayIP: address(gateway),
        egressIP: address(egress),
        ifindex: 0,
        policy: "policy",
      }),
    ),
  );
  return rows.sort(compareRows);
}

/** Policy maps with the sample's rows, and our programs on them. */
export async function openNode(
  directory: string,
  more: Partial<ProgramsOptions> = {},
): Promise<Programs> {
  const policies = openPolicyMaps({ directory, maxEntries: 1024, legacyV4: false });
  const sources = ["10.0.1.5", "10.0.1.6", "10.0.2.5", "fd00:1::5", "fd00:2::5"];
  await policies.apply(sampleRows(sources), { prune: true });
  policies.close();
  return openPrograms({
    object: OBJECT,
    directory,
    policyMapDirectory: directory,
    settings: DEFAULT_SETTINGS,
    self: address(SELF),
    ...more,
  });
}
