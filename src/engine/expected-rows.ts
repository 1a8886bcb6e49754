// Which rows each node should hold, by policy, as digests: what nodes' acknowledgements are held
// against. One pass over all endpoints and their rows.

import type { RowSum } from "../model/row-sum.ts";
import type { Address } from "../net/address.ts";
import { familyOf } from "../net/address.ts";
import type { RowsMode } from "../plan/row.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY } from "../plan/row.ts";
import type { DigestedRow } from "../plan/row-digest.ts";
import { RowDigest } from "../plan/row-digest.ts";
import type { Engine } from "./engine.ts";

/** Policy -> node -> what that node should hold of it; nodes that need no row are left out. */
export type ExpectedRows = ReadonlyMap<string, ReadonlyMap<string, RowSum>>;

/**
 * With `needed` a node needs rows of its own endpoints, and a gateway those of all endpoints of its
 * policies (rule 7.6); with `all` each of `nodes` needs all.
 */
export function expectedRows(
  engine: Engine,
  { rows, nodes }: { readonly rows: RowsMode; readonly nodes: ReadonlySet<string> },
): ExpectedRows {
  const totals = new Map<string, Totals>();
  for (const { policy, node, row } of rowsOf(engine)) {
    let total = totals.get(policy);
    if (total === undefined) totals.set(policy, (total = new Totals()));
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

interface PlacedRow {
  readonly policy: string;
  /** Of the endpoint. */
  readonly node: string;
  readonly row: DigestedRow;
}

function* rowsOf(engine: Engine): Generator<PlacedRow> {
  const { table } = engine;
  const gatewayIPs = new Map<number, Address>([[0, DROP_GATEWAY]]);
  for (const { gateways } of engine.policies()) {
    for (const { id, gateway } of gateways) gatewayIPs.set(id, gateway.gatewayIP);
  }
  for (const slot of table.slots()) {
    const { addresses, set, ids } = engine.facts(slot);
    const { node } = table.at(slot);
    for (const source of addresses) {
      for (const { prefix, index, excluded } of set.won(familyOf(source))) {
        const id = ids[index] ?? 0;
        const gatewayIP = excluded ? EXCLUDED_GATEWAY : (gatewayIPs.get(id) ?? DROP_GATEWAY);
        const policy = set.policies[index]?.policy.name ?? "";
        yield { policy, node, row: { source, destination: prefix, gatewayIP } };
      }
    }
  }
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
