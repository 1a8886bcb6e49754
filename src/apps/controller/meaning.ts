// What a cluster's objects mean for each of its policies: what a judgement needs beside what nodes
// acknowledge.

import { buildPlan } from "../../engine/build-plan.ts";
import type { Engine } from "../../engine/engine.ts";
import { expectedRows } from "../../engine/expected-rows.ts";
import { groupBy } from "../../lib/group.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { Issue } from "../../model/issue.ts";
import type { RowSum } from "../../model/row-sum.ts";
import type { PlanPolicy } from "../../plan/plan.ts";
import type { RowsMode } from "../../plan/row.ts";

/** What the cluster's objects say of one policy. */
export interface Meaning {
  /** Of the object by itself. */
  readonly own: readonly Issue[];
  /** These, and what only the whole cluster shows. */
  readonly issues: readonly Issue[];
  readonly inForce: PlanPolicy | undefined;
  /** Of what is in force. */
  readonly generation: number;
  readonly listed: number;
  /** Node -> what it should hold. */
  readonly wanted: ReadonlyMap<string, RowSum>;
}

export interface MeaningInput {
  readonly cluster: Cluster;
  /** Has taken everything that `cluster` gave. */
  readonly engine: Engine;
  readonly rows: RowsMode;
  readonly mapSize: number;
}

/** O(endpoints and their rows); what is kept of the plan are conditions and gateways. */
export function meaningsOf(input: MeaningInput): (policy: string) => Meaning {
  const { cluster, engine, rows } = input;
  const plan = buildPlan({ ...input, issues: [] });
  const expected = expectedRows(engine, { rows, nodes: new Set(cluster.nodeNames()) });
  const own = groupBy(cluster.issues(), ({ object }) => object);
  const all = groupBy(plan.issues, ({ object }) => object);
  const states = new Map(engine.policies().map(({ policy }) => [policy.name, policy]));
  const planned = new Map(plan.policies.map((policy) => [policy.name, policy]));
  return (name) => {
    const object = `CiliumEgressGatewayPolicy/${name}`;
    return {
      own: own.get(object) ?? [],
      issues: all.get(object) ?? [],
      inForce: planned.get(name),
      generation: states.get(name)?.generation ?? 0,
      listed: states.get(name)?.gateways.length ?? 0,
      wanted: expected.get(name) ?? new Map(),
    };
  };
}
