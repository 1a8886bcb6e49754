// A node's programs in the kernel, with maps filled from rows, asked what becomes of a packet from
// a pod. The answer is in the words of stories and of `renderVerdict`, and two more: `inside` for a
// destination within the cluster, `spoofed` for a source that is another's.

import assert from "node:assert/strict";
import { join } from "node:path";
import { present } from "../../src/lib/assert.ts";
import type { Address } from "../../src/net/address.ts";
import { renderAddress } from "../../src/net/address.ts";
import type { Row } from "../../src/plan/row.ts";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { DEFAULT_SETTINGS } from "../../src/reconcile/datapath.ts";
import { ABI_DIRECTORY } from "../../src/reconcile/datapath-maps.ts";
import { IndexTable } from "../../src/reconcile/index-table.ts";
import {
  encodeMark,
  INDEX_BITS,
  INDEX_NO_EGRESS_IP,
  INDEX_NONE,
  INDEX_UNKNOWN_GATEWAY,
  MARK_CLASS,
  MARK_MASK,
} from "../../src/reconcile/mark.ts";
import type { PolicyMaps } from "../../src/sinks/policy-maps.ts";
import { openPolicyMaps } from "../../src/sinks/policy-maps.ts";
import type { Programs } from "../../src/sinks/programs.ts";
import { openPrograms, PROGRAM_NAMES } from "../../src/sinks/programs.ts";
import { OBJECT } from "./datapath-node.ts";
import type { Frame } from "./program-run.ts";
import { DROP, frame, GO_ON, runProgram } from "./program-run.ts";

const SYNCED = { prune: true };
const MAP_SIZE = 16_384;
/** Bits of the mark that belong to others; they must be there afterwards. */
const FOREIGN = 0x5a5a4000;

/** What the programs say besides what rows can say. */
export const INSIDE = "inside";
export const SPOOFED = "spoofed";

/** A packet, and the device that it comes from. */
export interface Asked {
  readonly source: Address;
  readonly destination: Address;
  readonly ifindex: number;
  /** What must make no difference. */
  readonly shape?: Pick<Frame, "protocol" | "fragment" | "tags">;
}

export class VerdictNode {
  readonly self: Address;
  readonly gatewayIndexes = new IndexTable();
  readonly egressIndexes = new IndexTable();
  readonly #program: string;
  readonly #policyMaps: PolicyMaps;
  readonly #programs: Programs;

  /** `directory`: in a bpffs, of this node alone. */
  constructor(directory: string, self: Address) {
    this.self = self;
    this.#program = join(directory, ABI_DIRECTORY, PROGRAM_NAMES.fromPod);
    this.#policyMaps = openPolicyMaps({ directory, maxEntries: MAP_SIZE, legacyV4: false });
    const settings = DEFAULT_SETTINGS;
    const where = { object: OBJECT, directory, policyMapDirectory: directory };
    this.#programs = openPrograms({ ...where, settings, self });
  }

  /** Makes the maps hold these rows and what `datapath` says. */
  async fill(rows: readonly Row[], datapath: NodeDatapath): Promise<void> {
    const outcomes = [
      ...(await this.#programs.apply(datapath, SYNCED)),
      ...(await this.#policyMaps.apply(rows, SYNCED)),
    ];
    for (const { error } of outcomes) if (error !== undefined) throw error;
  }

  /** Runs the program on the packet; its reason, verdict and mark must agree. */
  async ask({ source, destination, ifindex, shape = {} }: Asked): Promise<string> {
    const [from, to] = [renderAddress(source), renderAddress(destination)];
    const packet = frame({ from, to, ...shape });
    const before = await this.#programs.counters();
    const { verdict, mark } = runProgram(this.#program, { packet, ifindex, mark: FOREIGN });
    const now = await this.#programs.counters();
    const counted = [...now].filter(([name, packets]) => packets !== before.get(name));
    const [[reason] = ["nothing"]] = counted;
    assert.equal(counted.length, 1, `${from} -> ${to}: ${JSON.stringify(counted)}`);
    if (verdict === DROP) return reason === "SpoofedSource" ? SPOOFED : `dropped ${reason}`;
    assert.equal(verdict, GO_ON);
    assert.equal((mark & ~MARK_MASK) >>> 0, FOREIGN, "the bits of others stay");
    return this.#words(reason, mark & MARK_MASK);
  }

  close(): void {
    this.#programs.close();
    this.#policyMaps.close();
  }

  #words(reason: string, mark: number): string {
    const index = mark & ((1 << INDEX_BITS) - 1);
    const nameIn = (table: IndexTable, kind: "tunnel" | "local") => {
      assert.equal(mark >> INDEX_BITS, MARK_CLASS[kind], `the class of ${reason}`);
      const found = table.entries().find((one) => one.index === index);
      return `${kind} ${renderAddress(present(found, `index ${index}`).address)}`;
    };
    switch (reason) {
      case "ProposedTunnel":
        return nameIn(this.gatewayIndexes, "tunnel");
      case "ProposedLocal":
        return nameIn(this.egressIndexes, "local");
      case "ProposedDrop":
        return `drop ${DROPS.get(mark) ?? `by the mark ${mark}`}`;
      default:
        assert.equal(mark, 0, `${reason} proposes nothing`);
        return UNTOUCHED.get(reason) ?? reason;
    }
  }
}

/** A proposal to drop -> the reason that nftables counts. */
const DROPS: ReadonlyMap<number, string> = new Map([
  [encodeMark("tunnel", INDEX_NONE, 0), "NoGateway"],
  [encodeMark("tunnel", INDEX_UNKNOWN_GATEWAY, 0), "UnknownGateway"],
  [encodeMark("local", INDEX_NO_EGRESS_IP, 0), "NoEgressIP"],
]);

const UNTOUCHED: ReadonlyMap<string, string> = new Map([
  ["ClusterDestination", INSIDE],
  ["NoRow", "direct"],
  ["Excluded", "excluded"],
]);
