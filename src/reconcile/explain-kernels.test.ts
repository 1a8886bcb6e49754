// What nodes acknowledge, held against an explanation, and how the answer then reads.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explained, NODES, pod, policy } from "../../test/support/explained.ts";
import { assertValid } from "../../test/support/schema.ts";
import { PLAIN } from "../lib/screen.ts";
import type { PolicyAcknowledgement } from "../model/acknowledgement.ts";
import { writeExplanation } from "../plan/explanation-data.ts";
import type { Explanation } from "../plan/explanation.ts";
import { renderExplanation } from "../plan/render-explanation.ts";
import { explainKernels } from "./explain-kernels.ts";

const NOW_MS = Date.parse("2026-01-01T00:10:00Z");
const SUM = { rows: 1, digest: "a" };
const GENERATION = 3;

type Said = Readonly<Record<string, Partial<PolicyAcknowledgement>>>;

interface Told {
  /** What the node says of each policy. */
  readonly node?: Said;
  readonly gateway?: Said;
  /** Of the node. */
  readonly ageSeconds?: number;
  readonly destination?: string;
  readonly objects?: readonly object[];
}

/** web-1 on worker-1, whose policy `p` sends it to gw-1; what is not told is as it should be. */
function kernels(told: Told): Explanation {
  const { destination, objects = [policy("p")] } = told;
  const asked = destination === undefined ? {} : { destination };
  const explanation = explained({
    objects: [...NODES, pod("web-1", ["10.0.1.5"]), ...objects],
    ...asked,
  });
  const says = (said: Said | undefined, ageSeconds: number) => ({
    ready: true,
    message: "",
    renewTime: new Date(NOW_MS - ageSeconds * 1_000).toISOString(),
    policies: new Map(
      Object.entries(said ?? { p: {} }).map(([name, fields]) => {
        return [name, { name, generation: GENERATION, message: "", ...SUM, ...fields }];
      }),
    ),
  });
  const all = explainKernels(explanation, {
    acknowledgements: new Map([
      ["worker-1", says(told.node, told.ageSeconds ?? 12)],
      ["gw-1", says(told.gateway, 5)],
    ]),
    generations: new Map([["p", GENERATION]]),
    expected: new Map([["p", new Map([["worker-1", SUM], ["gw-1", SUM]])]]),
    nowMs: NOW_MS,
  });
  return { ...explanation, kernels: all };
}

/** The text without line breaks inside paragraphs. */
function text(told: Told): string {
  let written = "";
  renderExplanation(kernels(told), PLAIN, (piece) => (written += piece));
  return written.replaceAll(/\s+/g, " ");
}

const FAR = "203.0.113.1";

describe("an explanation of a live cluster", () => {
  test("is sure where the node and its gateway hold what the plan wants", () => {
    const sure = text({ destination: FAR });
    assert.match(sure, /^Traffic .* leaves with 192\.0\.2\.10, by gateway gw-1, because/);
    const step = "In the kernels, as their agents say worker-1 p: generation 3 with 1 row, as it " +
      "should be; heard 12 s ago gw-1 p: generation 3 with 1 row, as it should be; heard 5 s ago";
    assert.ok(sure.includes(step), sure);
  });

  test("says first that the node has another generation, and since when it is silent", () => {
    const stale = text({ destination: FAR, node: { p: { generation: 1 } }, ageSeconds: 203 });
    const said = "should leave with 192.0.2.10, by gateway gw-1, but worker-1 has not taken over " +
      "this: it has generation 1, not 3, silent for 203 s. It should, because policy p covers";
    assert.ok(stale.includes(said), stale);
  });

  test("doubts for other rows, for a gateway that lags, for silence alone", () => {
    const other = text({ destination: FAR, node: { p: { rows: 2, digest: "b" } } });
    assert.match(other, /worker-1 has not taken over this: it holds 2 rows, should hold 1, heard/);
    const gateway = text({ destination: FAR, gateway: {} });
    assert.match(gateway, /gw-1 has not taken over this: it does not have the policy yet, heard 5/);
    const silent = text({ destination: FAR, ageSeconds: 181 });
    assert.match(silent, /should leave .* keeps worker-1 up to date: its agent is silent for 181/);
    assert.doesNotMatch(text({ destination: FAR, ageSeconds: 180 }), /should leave/);
  });

  test("names policies that no longer are as the node has them", () => {
    const gone = text({ destination: FAR, objects: [], node: { old: { generation: 7 } } });
    assert.match(gone, /should leave by the ordinary path/);
    assert.match(gone, /worker-1 has not taken over policy old as it is now: it still has gener/);
    const whole = text({ objects: [], node: { old: { generation: 7 } } });
    assert.match(whole, /^Traffic from .* should leave by the ordinary path, .* but worker-1 has/);
    const changed = text({ destination: FAR, objects: [], node: { p: { generation: 2 } } });
    assert.match(changed, /worker-1 has not taken over policy p as it is now/);
    assert.doesNotMatch(text({ destination: FAR, objects: [], node: {} }), /should leave/);
  });

  test("says so once above a list of destinations", () => {
    const list = text({ node: { p: { generation: 1 } } });
    assert.equal(list.match(/has not taken over/g)?.length, 1);
    assert.match(list, /0\.0\.0\.0\/0 +should leave with 192\.0\.2\.10, by gateway gw-1/);
  });

  test("is not concerned where a destination is inside the cluster", () => {
    assert.doesNotMatch(text({ destination: "192.168.1.2", node: {} }), /has not taken over/);
  });

  test("fits its schema, with what is held and wanted", () => {
    let json = "";
    writeExplanation(kernels({ node: {} }), "json", (piece) => (json += piece));
    const document = JSON.parse(json) as { kernels: { policies: object[] }[] };
    assertValid("explanation", document);
    assert.deepEqual(document.kernels[0]?.policies[0], {
      name: "p",
      held: null,
      wanted: { generation: 3, rows: 1 },
      lag: "it does not have the policy yet",
    });
  });
});
