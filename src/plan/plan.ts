// What should be: assignments and rows, with everything that a person or a program asks of them.
// The plain data of `sluice plan`; schemas/plan.schema.json describes its JSON form.

import type { Endpoint } from "../model/endpoint.ts";
import type { Issue } from "../model/issue.ts";
import type { Distribution } from "../model/policy.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Row, RowsMode } from "./row.ts";

export const API_VERSION = "sluice.dev/v1alpha1";

/** A condition that is worth a look; a policy without problems has none. */
export interface Condition {
  readonly type: "ResolvedRefs" | "Programmed" | "Conflicted";
  readonly status: "True" | "False";
  /** CamelCase, stable. */
  readonly reason: string;
  /** For people; never a place in a list (rule 5.8). */
  readonly message: string;
}

/** A gateway entry that resolved to a node. */
export interface PlanGateway {
  /** The place in the policy's list. */
  readonly entry: number;
  readonly node: string;
  readonly gatewayIP: Address;
  /** The device that carries the egress IP; as written where it is not known; null: unknown. */
  readonly interface: string | null;
  /** The egress IPs of needed families, IPv4 first; `[]`: none; null: unknown (rule 6.8). */
  readonly egressIPs: readonly Address[] | null;
  /** Endpoints assigned to this entry. */
  readonly endpoints: number;
}

export interface PlanPolicy {
  readonly name: string;
  readonly distribution: Distribution;
  /** What it covers, sorted: for people and `diff`, which must notice when it changes. */
  readonly destinations: readonly Prefix[];
  readonly exclusions: readonly Prefix[];
  /** Endpoints that the policy selects. */
  readonly endpoints: number;
  /** Sorted by type, reason, message. */
  readonly conditions: readonly Condition[];
  /** In the order of rule 5.1. */
  readonly gateways: readonly PlanGateway[];
}

export interface Assignment {
  readonly policy: string;
  readonly endpoint: Endpoint;
  /** The addresses that the endpoint holds; a newer endpoint may have taken some (rule 3.7). */
  readonly addresses: readonly Address[];
  /** Undefined: no entry resolves, traffic is dropped (rule 4.3). */
  readonly gateway: PlanGateway | undefined;
}

/** How full a node's policy maps would be. */
export interface NodeCapacity {
  readonly node: string;
  readonly rowsIPv4: number;
  readonly rowsIPv6: number;
  /** Endpoints that do not fit and stay held (rule 7.9). */
  readonly heldEndpoints: number;
}

/** How many endpoints share one egress IP, and so its SNAT ports. */
export interface EgressIPCapacity {
  readonly egressIP: Address;
  readonly node: string;
  readonly endpoints: number;
}

export interface Capacity {
  /** Entries per policy map. */
  readonly mapSize: number;
  readonly rows: RowsMode;
  /** Sorted by node name; nodes without rows are left out. */
  readonly nodes: readonly NodeCapacity[];
  /** Sorted by address, then node. */
  readonly egressIPs: readonly EgressIPCapacity[];
}

/** Rows or assignments: counted, and produced one by one in order, as often as asked. */
export interface Stream<T> extends Iterable<T> {
  readonly size: number;
}

export interface Plan {
  /** The node whose rows these are; undefined: no rows. */
  readonly node: string | undefined;
  /** Sorted by name. */
  readonly policies: readonly PlanPolicy[];
  /** Sorted by policy, then by the endpoint's place in rule 5.4's order. */
  readonly assignments: Stream<Assignment>;
  /** Sorted by source, then destination. */
  readonly rows: Stream<Row> | undefined;
  readonly capacity: Capacity;
  /** Sorted (model/issue.ts). */
  readonly issues: readonly Issue[];
}
