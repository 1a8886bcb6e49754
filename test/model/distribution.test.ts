// What the strategies promise: round-robin is balanced, rendezvous moves as few as it can.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectChange } from "../../src/model/objects.ts";
import type { Assignment } from "../../src/plan/plan.ts";
import { live } from "../scenario/expand.ts";
import { changesOf, deletion } from "../scenario/manifest.ts";
import { DEFAULT_OPTIONS } from "../scenario/script.ts";
import { World } from "../scenario/world.ts";
import { check } from "./check.ts";
import { history, tellHistory, turnsOf } from "./history.ts";

test("round-robin is balanced to one endpoint [5.1, 5.7]", (t) => {
  check(
    t,
    history,
    (told) => {
      const world = live(turnsOf(told), told.options, { restarts: false });
      for (const { distribution, gateways, endpoints } of world.plan().policies) {
        if (distribution !== "round-robin" || gateways.length === 0) continue;
        const counts = gateways.map((gateway) => gateway.endpoints);
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
        assert.equal(counts.reduce((sum, count) => sum + count), endpoints);
      }
    },
    { runs: 200, tell: tellHistory },
  );
});

interface Pool {
  /** UIDs. */
  readonly pods: readonly string[];
  /** Names of nodes that are gateways. */
  readonly gateways: readonly string[];
  /** The one that comes and goes. */
  readonly newcomer: string;
}

const name = fc.stringMatching(/^[a-z]{1,3}$/);

const pool: fc.Arbitrary<Pool> = fc
  .tuple(
    fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 40 }),
    fc.uniqueArray(name, { minLength: 2, maxLength: 6 }),
  )
  .map(([pods, [newcomer = "", ...gateways]]) => ({ pods, gateways, newcomer }));

function node(of: string): ObjectChange[] {
  const labels = { "kubernetes.io/hostname": of };
  const addresses = [{ type: "InternalIP", address: "192.168.1.1" }];
  const metadata = { name: of, labels };
  return changesOf({ apiVersion: "v1", kind: "Node", metadata, status: { addresses } });
}

/** Under rendezvous, with one entry for each gateway, newcomer or not. */
function poolWorld({ pods, gateways, newcomer }: Pool): World {
  const world = new World({ ...DEFAULT_OPTIONS, distribution: "rendezvous" });
  world.add(gateways.flatMap(node));
  for (const [i, uid] of pods.entries()) {
    const metadata = { name: `pod-${i}`, uid };
    const status = { podIP: `10.0.0.${i}` };
    world.add(changesOf({ apiVersion: "v1", kind: "Pod", metadata, status }));
  }
  const egressGateways = [newcomer, ...gateways].map((of) => {
    return { nodeSelector: { matchLabels: { "kubernetes.io/hostname": of } } };
  });
  const destinationCIDRs = ["0.0.0.0/0"];
  const spec = { selectors: [{ podSelector: {} }], destinationCIDRs, egressGateways };
  const kind = "CiliumEgressGatewayPolicy";
  world.add(changesOf({ apiVersion: "cilium.io/v2", kind, metadata: { name: "p" }, spec }));
  world.turn();
  return world;
}

function gatewaysOf(world: World): Map<string, string | undefined> {
  return new Map(world.assignments().map(gatewayOf));
}

function gatewayOf({ endpoint, gateway }: Assignment): [string, string | undefined] {
  return [endpoint.key, gateway?.node];
}

test("rendezvous: a new gateway only takes, a lost one gives back what it took [5.3]", (t) => {
  check(
    t,
    pool,
    (one) => {
      const world = poolWorld(one);
      const before = gatewaysOf(world);
      world.add(node(one.newcomer));
      world.turn();
      const after = gatewaysOf(world);
      const moved = [...after].filter(([key, gateway]) => before.get(key) !== gateway);
      for (const [, gateway] of moved) assert.equal(gateway, one.newcomer);
      assert.equal(world.counters.moves, moved.length);
      world.add([deletion("Node", one.newcomer)]);
      world.turn();
      assert.deepEqual(gatewaysOf(world), before);
      assert.equal(world.counters.moves, moved.length);
    },
    { runs: 200 },
  );
});

test("rendezvous: each of n gateways has about 1/n, and a new one takes 1/(n+1) [5.3]", () => {
  // Fixed UIDs: the hash, not chance, decides, and 5 percent is five standard deviations.
  const pods = Array.from({ length: 250 }, (_, i) => `7c22952d-25a0-409d-952c-${i}`);
  const gateways = ["gw-a", "gw-b", "gw-c"];
  const counts = new Map<string | undefined, number>();
  for (let group = 0; group < 12; group++) {
    const own = pods.map((uid) => `${uid}-${group}`);
    const world = poolWorld({ pods: own, gateways, newcomer: "gw-d" });
    world.add(node("gw-d"));
    world.turn();
    for (const of of gatewaysOf(world).values()) counts.set(of, (counts.get(of) ?? 0) + 1);
  }
  for (const [of, count] of counts) {
    assert.ok(Math.abs(count / 3000 - 1 / 4) < 0.05, `${of} has ${count} of 3000`);
  }
  assert.equal(counts.size, 4);
});
