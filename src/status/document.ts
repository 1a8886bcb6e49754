// What a node says about itself: the document of `/v1/status`, of which metrics and `sluice status`
// are pictures. schemas/status.schema.json describes it field by field.

import type { HistogramCounts } from "../lib/histogram.ts";
import type { OperationError } from "../lib/operation-error.ts";
import type { Issue } from "../model/issue.ts";
import type { Distribution } from "../model/policy.ts";
import type { Condition } from "../plan/plan.ts";
import { API_VERSION } from "../plan/plan.ts";
import type { Reason } from "../plan/reason.ts";
import { REASONS } from "../plan/reason.ts";
import type { RowChanges } from "../plan/row.ts";

export const STATUS_KIND = "NodeStatus";

/** An operating failure, with what to do about it. */
export interface StatusError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export interface PolicyStatus {
  readonly name: string;
  readonly distribution: Distribution;
  /** Endpoints that it selects, in the whole cluster. */
  readonly endpoints: number;
  /** Gateway entries that resolve to a node. */
  readonly gateways: number;
  /** Those that are worth a look; a policy without problems has none. */
  readonly conditions: readonly Condition[];
}

/** A gateway's place in the tunnel's marks. */
export interface GatewayStatus {
  readonly index: number;
  readonly address: string;
  /** Its node's name; empty: no node has this address now. */
  readonly node: string;
}

/** An egress IP of this node, and its place in the marks. */
export interface EgressIPStatus {
  readonly index: number;
  readonly address: string;
  /** null: no interface has it at the moment. */
  readonly interface: string | null;
}

/** What is held on this node because it is not classified (rule 8.7). */
export interface UnclassifiedStatus {
  /** A pod's; null: no pod is known behind the device. */
  readonly address: string | null;
  /** null: no device was found for the address. With both, the pod waits for its rows. */
  readonly interface: string | null;
}

/** Something that is written to: rows, programs, nftables, routes. */
export interface SinkStatus {
  readonly name: string;
  /** Failures since the agent began. */
  readonly errors: number;
  /** The last one; null: since then all went well. */
  readonly lastError: StatusError | null;
}

/** Packets of one reason since the programs were loaded; see plan/reason.ts. */
export interface CounterStatus {
  readonly reason: string;
  readonly packets: number;
  readonly drop: boolean;
  readonly meaning: string;
  /** Empty: nothing is wrong when it grows. */
  readonly remedy: string;
}

export interface StatusDocument {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: typeof STATUS_KIND;
  readonly node: string;
  /** Of Sluice. */
  readonly version: string;
  /** The kernel has what should be. */
  readonly ready: boolean;
  /** Why it is not ready; empty when it is. */
  readonly waitingFor: string;
  /** Source -> whether its first complete list has come. */
  readonly synced: Readonly<Record<string, boolean>>;
  readonly counts: {
    readonly policies: number;
    /** Endpoints of the whole cluster that policies select. */
    readonly endpoints: number;
    /** Policy rows of this node, lame ducks included. */
    readonly rows: number;
    /** Rows that stay only until other nodes have heard that they left (rule 8.6). */
    readonly lameDucks: number;
  };
  /** What was done to the kernel's rows since the agent began. */
  readonly rowChanges: RowChanges;
  readonly turns: {
    readonly total: number;
    /** How long the last one took. */
    readonly lastSeconds: number;
  };
  /** Seconds from a change of an object to the kernel that has it, since the agent began. */
  readonly applied: HistogramCounts;
  /** Sorted by name. */
  readonly policies: readonly PolicyStatus[];
  /** Sorted by index. */
  readonly gateways: readonly GatewayStatus[];
  /** Sorted by index. */
  readonly egressIPs: readonly EgressIPStatus[];
  readonly unclassified: readonly UnclassifiedStatus[];
  /** In the order in which they are written. */
  readonly sinks: readonly SinkStatus[];
  /** In the order of the table of reasons; those without packets included. */
  readonly counters: readonly CounterStatus[];
  readonly issues: readonly Issue[];
}

/** What the author of a document brings; the rest of it is always the same. */
export type StatusFacts = Omit<StatusDocument, "apiVersion" | "kind" | "counters"> & {
  /** Reason -> packets; without those that cannot be read. */
  readonly packets: ReadonlyMap<string, number>;
};

/** The document that these facts make. */
export function statusDocument({ packets, ...facts }: StatusFacts): StatusDocument {
  const counters = REASONS.flatMap((reason) => counterStatus(reason, packets.get(reason.name)));
  return { apiVersion: API_VERSION, kind: STATUS_KIND, ...facts, counters };
}

function counterStatus(
  { name, drop, meaning, remedy }: Reason,
  packets: number | undefined,
): CounterStatus[] {
  return packets === undefined ? [] : [{ reason: name, packets, drop, meaning, remedy }];
}

/** A failure as documents say it. */
export function statusError({ code, message, remedy }: OperationError): StatusError {
  return { code, message, remedy };
}
