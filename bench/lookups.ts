// What a packet's look-ups cost as policies grow: our program at a pod's device, run on one packet
// again and again by the kernel (BPF_PROG_TEST_RUN), with more and more rows in the policy map.
//
//   npm run --silent bench:lookups -- [--json]      (root; make build)
//
// ns: nanoseconds for a run, median of the rounds; of one: by the time with a single row. Rows are
// those of as many endpoints with ten prefixes each; the packet's destination fits the longest.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { present } from "../src/lib/assert.ts";
import { parseAddress } from "../src/net/address.ts";
import { parsePrefix } from "../src/net/prefix.ts";
import type { Row } from "../src/plan/row.ts";
import { compareRows } from "../src/plan/row.ts";
import { DEFAULT_SETTINGS } from "../src/reconcile/datapath.ts";
import { ABI_DIRECTORY } from "../src/reconcile/datapath-maps.ts";
import { openPolicyMaps } from "../src/sinks/policy-maps.ts";
import { openPrograms, PROGRAM_NAMES } from "../src/sinks/programs.ts";
import { GATEWAY_INDEX, OBJECT, OTHER, SELF } from "../test/kernel/datapath-node.ts";
import { sampleDatapath } from "../test/kernel/datapath-node.ts";
import { mountPrivateBpffs } from "../test/kernel/private-bpffs.ts";
import { frame, repeatProgram } from "../test/kernel/program-run.ts";

const ROWS = [1, 1_000, 100_000];
const PREFIXES = 10;
const ROUNDS = 9;
const REPEAT = 200_000;
const ROOM = 262_144;
const POD = "10.0.1.5";
/** Of no device in particular: the packet comes from none. */
const DEVICE = 0;

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const bpffs = mountPrivateBpffs();
if (bpffs.skip !== undefined) throw new Error(bpffs.skip);

const packet = frame({ from: POD, to: "203.0.113.7" });
const results: { rows: number; ns: number; ofOne: number }[] = [];
for (const rows of ROWS) {
  const ns = await measure(rows);
  results.push({ rows, ns, ofOne: ns / (results[0]?.ns ?? ns) });
}
if (values.json) console.log(JSON.stringify(results));
else for (const { rows, ns, ofOne } of results) console.log(rows, ns, ofOne.toFixed(2));

async function measure(count: number): Promise<number> {
  const directory = join(bpffs.directory, String(count));
  const maps = openPolicyMaps({ directory, maxEntries: ROOM, legacyV4: false });
  await maps.apply(makeRows(count), { prune: true });
  const programs = openPrograms({
    ...{ object: OBJECT, directory, policyMapDirectory: directory },
    ...{ settings: DEFAULT_SETTINGS, self: address(SELF) },
  });
  try {
    await programs.apply(sampleDatapath(DEVICE), { prune: true });
    const pin = join(directory, ABI_DIRECTORY, PROGRAM_NAMES.fromPod);
    const times = Array.from({ length: ROUNDS }, () => {
      const { mark, ns } = repeatProgram(pin, { packet, repeat: REPEAT });
      if ((mark & 0xfff) !== GATEWAY_INDEX) throw new Error(`the mark is ${mark.toString(16)}`);
      return ns;
    });
    return times.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
  } finally {
    programs.close();
    maps.close();
    rmSync(directory, { recursive: true });
  }
}

/** The first one is the packet's. */
function makeRows(count: number): Row[] {
  const rows = Array.from({ length: count }, (_, i): Row => {
    const pod = Math.floor(i / PREFIXES);
    const other = `10.2.${pod >> 8}.${pod & 255}`;
    const length = 24 - (i % PREFIXES);
    return {
      source: address(pod === 0 ? POD : other),
      destination: present(parsePrefix(`203.0.113.0/${length}`), "a prefix"),
      egressIP: address("0.0.0.0"),
      gatewayIP: address(OTHER),
      ifindex: 0,
      policy: "policy",
    };
  });
  return rows.sort(compareRows);
}

function address(text: string) {
  return present(parseAddress(text), text);
}
