// Hundreds of endpoints that come and go in batches: what small clusters never reach, as growing
// and shrinking tables, merged lists, and numbers that are used again.

import { test } from "node:test";
import fc from "fast-check";
import type { ObjectChange } from "../../src/model/objects.ts";
import { DISTRIBUTIONS } from "../../src/model/policy.ts";
import { changesOf, deletion } from "../scenario/manifest.ts";
import { World } from "../scenario/world.ts";
import { check } from "./check.ts";

const PODS = 700;
const NODES = ["gw-1", "gw-2", "gw-3", "w-1", "w-2"];

/** Every seventh has IPv6 only, every eleventh the address of the one before. */
function pod(i: number): ObjectChange[] {
  const metadata = { name: `pod-${i}`, uid: `uid-${i}`, labels: { app: `app-${i % 3}` } };
  const place = i % 11 === 0 ? i - 1 : i;
  const v4 = `10.0.${(place * 37) & 255}.${place >> 2}`;
  const podIP = i % 7 === 0 ? `fd00::${((i * 7919) % 0xffff).toString(16)}:${i}` : v4;
  const spec = { nodeName: NODES[i % NODES.length] };
  return changesOf({ apiVersion: "v1", kind: "Pod", metadata, spec, status: { podIP } });
}

function node(name: string, i: number): ObjectChange[] {
  const addresses = [{ type: "InternalIP", address: `192.168.1.${i + 1}` }];
  const metadata = { name, labels: { name } };
  return changesOf({ apiVersion: "v1", kind: "Node", metadata, status: { addresses } });
}

/** Selects the apps of one number, or all. */
function policy(name: string, app: number): ObjectChange[] {
  const matchLabels = app === 3 ? {} : { app: `app-${app}` };
  const egressGateways = ["gw-1", "gw-2", "gw-3"].map((of) => {
    return { nodeSelector: { matchLabels: { name: of } }, interface: "eth0" };
  });
  return changesOf({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name },
    spec: {
      selectors: [{ podSelector: { matchLabels } }],
      destinationCIDRs: ["198.51.100.0/24", "2001:db8::/32"],
      egressGateways,
    },
  });
}

interface Batch {
  /** Pods that come if they are away, and go if they are there. */
  readonly pods: readonly number[];
  /** The gateway that does likewise. */
  readonly gateway: string | undefined;
  readonly policy: { readonly name: string; readonly app: number } | undefined;
}

const batch: fc.Arbitrary<Batch> = fc.record({
  pods: fc.oneof(
    fc.uniqueArray(fc.nat(PODS - 1), { maxLength: PODS, size: "max" }),
    fc.uniqueArray(fc.nat(PODS - 1), { maxLength: 12 }),
  ),
  gateway: fc.option(fc.constantFrom("gw-1", "gw-2"), { nil: undefined, freq: 3 }),
  policy: fc.option(fc.record({ name: fc.constantFrom("p", "q", "r"), app: fc.nat(3) }), {
    nil: undefined,
    freq: 3,
  }),
});

/** What comes if it is away, and goes if it is there. */
function toggle(there: Set<string>, change: readonly ObjectChange[]): readonly ObjectChange[] {
  return change.map(({ kind, key, ...rest }) => {
    const id = `${kind}/${key}`;
    if (there.delete(id)) return deletion(kind, key);
    there.add(id);
    return { kind, key, ...rest } as ObjectChange;
  });
}

test("says what the reference says of crowds that come and go [5.1, 5.2, 5.3]", (t) => {
  const crowd = fc.record({
    distribution: fc.constantFrom(...DISTRIBUTIONS),
    batches: fc.array(batch, { maxLength: 8 }),
  });
  check(
    t,
    crowd,
    ({ distribution, batches }) => {
      const world = new World({ distribution, scope: { node: "gw-1", rows: "needed" } });
      world.add([...NODES.flatMap(node), ...policy("p", 3)]);
      world.turn();
      const there = new Set([...NODES.map((name) => `Node/${name}`)]);
      for (const { pods, gateway, policy: edited } of batches) {
        world.add(pods.flatMap((i) => toggle(there, pod(i))));
        if (gateway !== undefined) world.add(toggle(there, node(gateway, NODES.indexOf(gateway))));
        if (edited !== undefined) world.add(policy(edited.name, edited.app));
        world.turn();
      }
    },
    { runs: 50 },
  );
});
