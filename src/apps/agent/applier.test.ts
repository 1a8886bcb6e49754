// Proves that the newest state wins, that failures are repeated, and that nothing to forget is
// lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../lib/assert.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { Address } from "../../net/address.ts";
import { parseAddress } from "../../net/address.ts";
import type { Desired } from "./applier.ts";
import { Applier } from "./applier.ts";

const KERNEL = { links: [], routes: [], neighbours: [], bridgeEntries: [] };
const desired = (): Desired => ({ datapath: undefined, rows: [], kernel: KERNEL, prune: true });
const address = (text: string): Address => present(parseAddress(text), text);

function ends(): { run: (failure: unknown) => void; next: () => Promise<unknown> } {
  let told: (failure: unknown) => void = () => undefined;
  return {
    run: (failure) => told(failure),
    next: () => new Promise((resolve) => (told = resolve)),
  };
}

test("flows of former owners are forgotten before the first step [8.10]", async () => {
  const events: string[] = [];
  const end = ends();
  const applier = new Applier({
    steps: [{ name: "rows", act: async () => void events.push("rows") }],
    forget: async (addresses) => void events.push(`forget ${addresses.length}`),
    onRun: end.run,
  });
  const first = end.next();
  applier.submit(desired(), [address("10.0.0.1")]);
  await first;
  const second = end.next();
  applier.submit(desired(), []);
  await second;
  assert.deepEqual(events, ["forget 1", "rows", "rows"]);
  await applier.close();
});

test("a failed run is repeated, and what it had to forget is still forgotten", async () => {
  const forgotten: number[] = [];
  let tries = 0;
  const end = ends();
  const applier = new Applier({
    steps: [{ name: "rows", act: async () => void 0 }],
    forget: async (addresses) => {
      if (tries++ === 0) throw new OperationError({ code: "ToolFailed", op: "t", target: "x" });
      forgotten.push(addresses.length);
    },
    onRun: end.run,
  });
  const first = end.next();
  applier.submit(desired(), [address("10.0.0.1")]);
  assert.equal(((await first) as { step: string }).step, "forget");
  assert.equal(await end.next(), undefined);
  assert.deepEqual(forgotten, [1]);
  await applier.close();
});

test("of the states that come during a run only the newest is applied", async () => {
  const seen: Desired[] = [];
  const end = ends();
  let go: () => void = () => undefined;
  const applier = new Applier({
    steps: [
      {
        name: "rows",
        act: async (state) => {
          seen.push(state);
          if (seen.length === 1) await new Promise<void>((resolve) => (go = resolve));
        },
      },
    ],
    forget: async () => undefined,
    onRun: end.run,
  });
  const states = [desired(), desired(), desired()] as const;
  applier.submit(states[0], []);
  await new Promise((resolve) => setImmediate(resolve));
  applier.submit(states[1], []);
  applier.submit(states[2], []);
  go();
  await end.next();
  // The second run may have ended by now; closing waits for it where it has not.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen.map((state) => states.indexOf(state as never)), [0, 2]);
  await applier.close();
});
