// Which rows each node should hold, by policy, as digests: what nodes' acknowledgements are held
// against. One pass over all rows of the cluster.

import type { RowsMode } from "../plan/row.ts";
import type { RowSum } from "../plan/row-digest.ts";
import { RowDigest } from "../plan/row-digest.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";

/** No node has this name, so no row is another's because of where it is seen from. */
const NOWHERE = "";

/** An engine that holds the rows of the whole cluster, as they are on other nodes than their own. */
export function clusterEngine({ distribution }: Pick<EngineOptions, "distribution">): Engine {
  return new Engine({ distribution, scope: { node: NOWHERE, rows: "all" } });
}

/** Policy -> node -> what that node should hold of it; nodes that need no row are left out. */
export type ExpectedRows = ReadonlyMap<string, ReadonlyMap<string, RowSum>>;

/**
 * `engine` comes from `clusterEngine`. With `needed` a node needs rows of its own endpoints, and a
 * gateway those of all endpoints of its policies (rule 7.6); with `all` each of `nodes` needs all.
 */
export function expectedRows(
  engine: Engine,
  { rows, nodes }: { readonly rows: RowsMode; readonly nodes: ReadonlySet<string> },
): ExpectedRows {
  const totals = new Map<string, Totals>();
  for (const row of engine.rows()) {
    let total = totals.get(row.policy);
    if (total === undefined) totals.set(row.policy, (total = new Totals()));
    const slot = engine.table.holder(row.source);
    const node = slot === undefined ? NOWHERE : engine.table.at(slot).node;
    total.all.add(row);
    total.of(node).add(row);
  }
  const expected = new Map<string, Map<string, RowSum>>();
  for (const { policy, gateways } of engine.policies()) {
    const total = totals.get(policy.name);
    if (total === undefined) continue;
    const whole = rows === "all" ? nodes : new Set(gateways.map(({ gateway }) => gateway.node));
    const sums = new Map<string, RowSum>();
    for (const [node, digest] of total.byNode) if (nodes.has(node)) sums.set(node, digest.sum);
    for (const node of whole) if (nodes.has(node)) sums.set(node, total.all.sum);
    expected.set(policy.name, sums);
  }
  return expected;
}

class Totals {
  readonly all = new RowDigest();
  readonly byNode = new Map<string, RowDigest>();

  of(node: string): RowDigest {
    let digest = this.byNode.get(node);
    if (digest === undefined) this.byNode.set(node, (digest = new RowDigest()));
    return digest;
  }
}
