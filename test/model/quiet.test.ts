// What concerns nobody touches nobody: heartbeats, readiness, labels that no selector asks for,
// resyncs, and lists in another order.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { World } from "../scenario/world.ts";
import { live } from "../scenario/expand.ts";
import { check } from "./check.ts";
import type { Event, History } from "./history.ts";
import { changesOfEvent, history, tellHistory, turnsOf } from "./history.ts";
import type { Flat } from "./objects.ts";

const NOTHING = { endpoints: 0, moves: 0, rows: 0 };

/** The newest version of everything, the refused ones among them. */
function living({ turns }: History): Event[] {
  const newest = new Map(
    turns.flat().map((event) => [`${event.object.kind}/${event.object.key}`, event]),
  );
  return [...newest.values()].filter(({ deleted }) => !deleted);
}

/** Applies what `change` makes of every object that lives; nothing may come of it. */
function expectQuiet(world: World, told: History, change: (object: Flat) => Flat): void {
  for (const { object } of living(told)) {
    world.add(changesOfEvent({ object: change(object), deleted: false }));
  }
  assert.deepEqual(world.turn(), []);
  assert.deepEqual(world.counters, NOTHING);
}

function checkQuiet(change: (object: Flat, told: History) => Flat) {
  return (told: History): void => {
    const world = live(turnsOf(told), told.options, { restarts: false });
    expectQuiet(world, told, (object) => change(object, told));
    // And back again.
    expectQuiet(world, told, (object) => object);
  };
}

/** The API server's and the kubelet's daily noise. */
function noisy({ kind, key, fields }: Flat): Flat {
  const { "metadata.labels": labels = {} } = fields;
  const noise = {
    "metadata.resourceVersion": "12345",
    "metadata.managedFields": [{ manager: "kubelet" }],
    "metadata.generation": 7,
    "status.conditions": [{ type: "Ready", status: "False", lastHeartbeatTime: "now" }],
    ...(kind === "Node" || kind === "CiliumNode"
      ? { "metadata.labels": { ...(labels as object), "nobody-asks": "3" } }
      : {}),
  };
  return { kind, key, fields: { ...fields, ...noise } };
}

/** Lists whose order means something: the kernel's, and which entry of a policy is the first. */
const ORDERED = ["status.interfaces", "status.defaultRoutes", "status.addresses", "spec.addresses"];

/** Every list and every mapping the other way round, but for those in `kept`. */
function turned({ kind, key, fields }: Flat, kept: readonly string[]): Flat {
  const changed = Object.entries(fields).map(([path, value]) => {
    return [path, kept.includes(path) ? value : turnedValue(value)];
  });
  return { kind, key, fields: Object.fromEntries(changed.reverse()) };
}

function turnedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turnedValue).reverse();
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, turnedValue(one)]);
  return Object.fromEntries(entries.reverse());
}

/** Ties of cilium-hash go by the list's order (rule 5.2). */
function usesListOrder({ kind, fields }: Flat, { options }: History): boolean {
  if (kind !== "CiliumEgressGatewayPolicy") return false;
  const annotations = fields["metadata.annotations"] as Record<string, string> | undefined;
  const own = annotations?.["sluice.dev/distribution"];
  return (own ?? options.distribution) === "cilium-hash";
}

const QUIET: Readonly<Record<string, (object: Flat, told: History) => Flat>> = {
  "a resync touches nothing [5.8]": (object) => object,
  "heartbeats, readiness and labels that nobody asks for touch nothing [5.8]": noisy,
  "lists in another order touch nothing, cilium-hash ties excepted [5.1, 5.2, 5.8]": (
    object,
    told,
  ) => {
    const gateways = usesListOrder(object, told) ? ["spec.egressGateways"] : [];
    return turned(object, [...ORDERED, ...gateways]);
  },
};

for (const [title, change] of Object.entries(QUIET)) {
  test(title, (t) => check(t, history, checkQuiet(change), { runs: 250, tell: tellHistory }));
}

test("a turn without changes touches nothing [5.8]", (t) => {
  check(
    t,
    history,
    (told) => {
      const world = live(turnsOf(told), told.options, { restarts: false });
      assert.deepEqual(world.turn(), []);
      assert.deepEqual(world.counters, NOTHING);
      assert.deepEqual(world.restart(), []);
    },
    { runs: 100, tell: tellHistory },
  );
});
