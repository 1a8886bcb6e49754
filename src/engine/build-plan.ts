// The plan of a moment: what the engine holds, with capacity, conditions and issues beside it.

import { compareBytes } from "../lib/order.ts";
import type { Cluster } from "../model/cluster.ts";
import type { EndpointKey } from "../model/endpoint.ts";
import type { Issue } from "../model/issue.ts";
import { compareIssues, issue } from "../model/issue.ts";
import type { Condition, Plan, PlanPolicy, Stream } from "../plan/plan.ts";
import type { Row, RowsMode } from "../plan/row.ts";
import type { Engine } from "./engine.ts";
import {
  addressFindings,
  conflictFindings,
  gatewayFindings,
  hashFinding,
  idleFinding,
  objectOf,
} from "./findings.ts";
import { measureCapacity, type Measured } from "./measure.ts";
import type { PolicyState } from "./policy-state.ts";

/** How many nodes a message names before it only counts. */
const NODES_NAMED_MAX = 3;

export interface PlanInput {
  readonly cluster: Cluster;
  /** Has taken everything that `cluster` gave. */
  readonly engine: Engine;
  /** Which rows nodes hold; the same as in the engine's scope, if it has one. */
  readonly rows: RowsMode;
  /** Entries of each policy map. */
  readonly mapSize: number;
  /** Issues that belong to no object of the cluster. */
  readonly issues: readonly Issue[];
  /**
   * Also warns of policies that select nobody: of files it is most likely a slip, while a cluster
   * may be waiting for its pods, and nobody is to be alarmed for that.
   */
  readonly warnOfIdle?: boolean;
}

/** The streams of the plan are valid until the engine's next step. */
export function buildPlan(input: PlanInput): Plan {
  const { cluster, engine, rows, mapSize, issues, warnOfIdle = false } = input;
  const states = engine.policies();
  const gateways = new Map(states.map((state) => [state, engine.planGateways(state)]));
  const node = engine.options.scope?.node;
  const described = [...cluster.nodeNames()];
  const nodes = new Set([...described, ...(node === undefined ? [] : [node])]);
  const measured = measureCapacity({ engine, rows, mapSize, nodes, gateways });
  const full = fullFindings(engine, measured);
  const conflicts = conflictFindings(engine);
  const found: Issue[] = [...issues, ...cluster.issues(), ...addressFindings(engine)];
  const policies = states.map((state): PlanPolicy => {
    const gatewayFinding = gatewayFindings(state, engine, { anyNode: described.length > 0 });
    const findings = [gatewayFinding, conflicts.get(state), full.get(state)];
    found.push(...findings.flatMap((finding) => finding?.issues ?? []));
    const idle = warnOfIdle ? idleFinding(state, engine) : undefined;
    found.push(...[hashFinding(state, engine), idle].filter((one) => one !== undefined));
    return {
      name: state.policy.name,
      distribution: engine.distributionOf(state.policy),
      endpoints: state.members.length,
      destinations: state.policy.destinations,
      exclusions: state.policy.exclusions,
      conditions: findings.flatMap((finding) => finding?.conditions ?? []).sort(compareConditions),
      gateways: [...(gateways.get(state)?.values() ?? [])],
    };
  });
  return {
    node,
    policies,
    assignments: engine.assignments(),
    rows: node === undefined ? undefined : rowsWithout(engine, measured.held.get(node)),
    capacity: measured.capacity,
    issues: found.sort(compareIssues),
  };
}

/** The rows of a node, less those of endpoints that its maps have no room for (rule 7.9). */
function rowsWithout(engine: Engine, held: ReadonlySet<EndpointKey> | undefined): Stream<Row> {
  const rows = engine.rows();
  if (held === undefined) return rows;
  const { table } = engine;
  const kept = [...rows].filter(({ source }) => {
    const slot = table.holder(source);
    return slot === undefined || !held.has(table.at(slot).key);
  });
  return { size: kept.length, [Symbol.iterator]: () => kept[Symbol.iterator]() };
}

/** `Programmed=False, MapFull` for every policy with an endpoint that stays held somewhere. */
function fullFindings(
  engine: Engine,
  { held, capacity }: Measured,
): Map<PolicyState, { conditions: Condition[]; issues: Issue[] }> {
  const places = new Map<PolicyState, string[]>();
  // Nodes with the same rows share one set, which is counted once.
  const counts = new Map<ReadonlySet<EndpointKey>, Map<PolicyState, number>>();
  for (const [node, keys] of held) {
    const counted = counts.get(keys) ?? countByPolicy(engine, keys);
    counts.set(keys, counted);
    for (const [state, count] of counted) {
      const place = `${node} (${count} endpoints held)`;
      places.set(state, [...(places.get(state) ?? []), place]);
    }
  }
  return new Map([...places].map(([state, nodes]) => {
    const unnamed = nodes.length - NODES_NAMED_MAX;
    const named = nodes.slice(0, NODES_NAMED_MAX).join(", ");
    const message =
      `maps of ${capacity.mapSize} entries are too small on ${named}` +
      `${unnamed > 0 ? ` and ${unnamed} more` : ""}; raise the map size or narrow the policies`;
    const condition = { type: "Programmed", status: "False", reason: "MapFull", message } as const;
    const at = { object: objectOf(state), path: "spec" };
    return [state, { conditions: [condition], issues: [issue("MapFull", at, message)] }];
  }));
}

function countByPolicy(engine: Engine, keys: ReadonlySet<EndpointKey>): Map<PolicyState, number> {
  const counts = new Map<PolicyState, number>();
  for (const key of keys) {
    const slot = engine.table.slotOf(key);
    if (slot === undefined) continue;
    for (const state of engine.table.policiesOf(slot).policies) {
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
  }
  return counts;
}

function compareConditions(a: Condition, b: Condition): number {
  return (
    compareBytes(a.type, b.type) ||
    compareBytes(a.reason, b.reason) ||
    compareBytes(a.message, b.message)
  );
}
