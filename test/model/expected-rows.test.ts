// What the controller expects of each node, from one pass over the whole cluster, against what each
// node's own engine says that it should hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine } from "../../src/engine/engine.ts";
import { expectedRows } from "../../src/engine/expected-rows.ts";
import { Cluster } from "../../src/model/cluster.ts";
import type { RowSum } from "../../src/model/row-sum.ts";
import type { Row } from "../../src/plan/row.ts";
import { RowDigest } from "../../src/plan/row-digest.ts";
import { check } from "./check.ts";
import type { History } from "./history.ts";
import { history, tellHistory, turnsOf } from "./history.ts";

function sumsOf(rows: Iterable<Row>): Map<string, RowSum> {
  const digests = new Map<string, RowDigest>();
  for (const row of rows) {
    const digest = digests.get(row.policy) ?? new RowDigest();
    digests.set(row.policy, digest);
    digest.add(row);
  }
  return new Map([...digests].map(([policy, { sum }]) => [policy, sum]));
}

test("the controller expects of every node what its own engine says [7.6, 7.7]", (t) => {
  let compared = 0;
  const holds = (one: History) => {
    const { distribution, scope } = one.options;
    const rows = scope?.rows ?? "needed";
    const cluster = new Cluster();
    const whole = new Engine({ distribution, scope: undefined });
    const engines = new Map<string, Engine>();
    const nodes = ["gw-1", "gw-10", "gw-9", "w-1"];
    for (const node of nodes) {
      engines.set(node, new Engine({ distribution, scope: { node, rows } }));
    }
    for (const turn of turnsOf(one)) {
      const delta = cluster.apply(turn);
      for (const engine of [whole, ...engines.values()]) engine.step(delta);
    }
    const expected = expectedRows(whole, { rows, nodes: new Set(nodes) });
    for (const [node, engine] of engines) {
      const own = sumsOf(engine.rows());
      const wanted = [...expected].flatMap(([policy, sums]) => {
        const sum = sums.get(node);
        return sum === undefined ? [] : ([[policy, sum]] as const);
      });
      assert.deepEqual(new Map(wanted), own, node);
      compared += own.size;
    }
  };
  check(t, history, holds, { runs: 200, tell: tellHistory });
  assert.ok(compared > 100, `only ${compared} policies had rows`);
});
