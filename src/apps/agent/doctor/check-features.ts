// Checks of what the running kernel can do, by doing it: with a map that is gone at once, and in a
// network namespace that ends with the command. Nothing of the node is touched.

import { BpfMap, LPM_TRIE, NO_PREALLOC, RDONLY_PROG } from "../../../drivers/kernel/bpf-map.ts";
import { runCommand } from "../../../drivers/kernel/command.ts";
import { OperationError } from "../../../lib/operation-error.ts";
import { renderChange } from "../../../reconcile/ruleset-diff.ts";
import { TIMEOUTS_ALONE } from "../../../reconcile/ruleset.ts";
import { isInPath } from "./check-process.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";

const PROBE_SHAPE = {
  type: LPM_TRIE,
  keySize: 12,
  valueSize: 8,
  flags: NO_PREALLOC | RDONLY_PROG,
} as const;

/** Whether policy maps can be made and written in batches. */
export async function checkPolicyMapBatches(): Promise<Finding> {
  const check = "bpf-batches";
  try {
    const map = BpfMap.create("sluice_probe", PROBE_SHAPE, 1);
    const { keySize, valueSize } = PROBE_SHAPE;
    const { error } = await map.update(new Uint8Array(keySize), new Uint8Array(valueSize));
    map.close();
    if (error === undefined) return ok(check, "LPM tries can be made and written in batches");
    throw error;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const unsupported = error.op.endsWith("_batch");
    const remedy = unsupported ? "boot a kernel of 5.13 or newer" : error.remedy;
    return bad("error", { check, message: error.message, remedy });
  }
}

interface Feature {
  readonly check: string;
  readonly command: readonly [tool: string, ...args: string[]];
  readonly input?: string;
  /** What it is for, as in `the tunnel`. */
  readonly use: string;
  readonly modules: string;
  /** What it means to lack it; undefined: no agent can run. */
  readonly without?: string;
}

/** Statements of every kind that the ruleset has. */
const RULESET = `table inet sluice_probe {
  map egress { type mark : ipv4_addr; }
  set guarded { type ifname . ipv4_addr; }
  set cluster { type ipv4_addr; flags interval; }
  counter dropped { }
  chain one { ct mark set 1 return; }
  chain raw {
    type filter hook prerouting priority -300;
    udp dport 8473 ip daddr 192.0.2.1 notrack
  }
  chain pre {
    type filter hook prerouting priority -149;
    ct state new meta mark & 0x3fff vmap { 1 : jump one }
    ct direction original ct mark & 0x3fff == 1 meta mark set meta mark | 1
    iifname . ip saddr @guarded ct status dnat counter name dropped drop
    ip daddr @cluster tcp flags syn tcp option maxseg size set 1360
  }
  chain post {
    type nat hook postrouting priority 90;
    snat ip to meta mark & 0xfff map @egress
  }
}
`;

const TUNNEL = "ip link add sluice-probe type vxlan external dstport 8473 nolearning";

const FEATURES: readonly Feature[] = [
  {
    check: "vxlan",
    command: ["ip", ...TUNNEL.split(" ").slice(1)],
    use: "the tunnel",
    modules: "vxlan",
  },
  {
    check: "clsact",
    command: ["tc", "qdisc", "add", "dev", "lo", "clsact"],
    use: "attaching the programs",
    modules: "sch_ingress and cls_bpf",
  },
  {
    check: "policy-routing",
    command: ["ip", "rule", "add", "fwmark", "0x1000/0x3000", "table", "21000"],
    use: "routing by marks",
    modules: "CONFIG_IP_MULTIPLE_TABLES, which is built in or not",
  },
  {
    check: "nftables",
    command: ["nft", "-f", "-"],
    input: RULESET,
    use: "the table of rules",
    modules: "nf_tables, nft_ct, nft_nat and nf_conntrack",
  },
  {
    check: "nftables-timeouts",
    command: ["nft", "-f", "-"],
    // As the agent finds out.
    input: renderChange({ table: "sluice_probe", from: undefined, to: TIMEOUTS_ALONE }),
    use: "forgetting a connection that was reset",
    modules: "CONFIG_NF_CONNTRACK_TIMEOUT, which is built in or not",
    without: "a client that uses a port again within 10 s keeps its gateway",
  },
];

/**
 * Whether the node's kernel has what the datapath is made of. It is tried with CAP_SYS_ADMIN only;
 * `path` is the environment's PATH: what is not there is the business of another check.
 */
export async function checkFeatures(path: string): Promise<Finding[]> {
  const trial = await attempt("true", []);
  if (trial !== undefined) {
    const message = `vxlan, clsact, rules and nftables were not tried: ${trial.message}`;
    return [bad("warning", { check: "features", message, remedy: "run it as root" })];
  }
  const possible = FEATURES.filter(({ command: [tool] }) => isInPath(tool, path));
  return Promise.all(possible.map(checkFeature));
}

async function checkFeature(feature: Feature): Promise<Finding> {
  const { check, command, use, modules, input, without } = feature;
  const [tool, ...args] = command;
  const error = await attempt(tool, args, input);
  if (error === undefined) return ok(check, `the kernel has what ${use} needs`);
  const consequence = without === undefined ? "" : `; ${without}`;
  const message = `the kernel cannot do what ${use} needs: ${reasonOf(error)}${consequence}`;
  const remedy = `load or install the kernel's modules: ${modules}`;
  return bad(without === undefined ? "error" : "warning", { check, message, remedy });
}

/** The first line of what the tool said: nft goes on with its input, drawn with marks below it. */
function reasonOf({ message }: OperationError): string {
  const [first = ""] = message.split("; ");
  return first.replace(/\/dev\/stdin:[\d:-]+: /, "");
}

/** Runs a tool in a network namespace of its own; why it failed, or undefined. */
async function attempt(
  tool: string,
  args: readonly string[],
  input = "",
): Promise<OperationError | undefined> {
  try {
    await runCommand("unshare", ["--net", tool, ...args], { input, target: tool });
    return undefined;
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
}
