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

test("what passed to another is told to each run until one ends well [8.10]", async () => {
  const told: number[] = [];
  const end = ends();
  const applier = new Applier({
    steps: [
      {
        name: "forget",
        act: async (_, passed) => {
          told.push(passed.length);
          const failure = { code: "ToolFailed", op: "t", target: "x" } as const;
          if (told.length === 1) throw new OperationError(failure);
        },
      },
    ],
    onRun: end.run,
  });
  const first = end.next();
  applier.submit(desired(), [address("10.0.0.1")]);
  assert.equal(((await first) as { step: string }).step, "forget");
  assert.equal(applier.isPassing(address("10.0.0.1")), true);
  assert.equal(await end.next(), undefined);
  assert.equal(applier.isPassing(address("10.0.0.1")), false);
  const third = end.next();
  applier.submit(desired(), []);
  await third;
  assert.deepEqual(told, [1, 1, 0]);
  await applier.close();
});

test("what passes when an applier is closed is for the next applier [8.10]", async () => {
  const end = ends();
  const fails = () => Promise.reject(new OperationError({ code: "EIO", op: "t", target: "x" }));
  const applier = new Applier({ steps: [{ name: "forget", act: fails }], onRun: end.run });
  const first = end.next();
  applier.submit(desired(), [address("10.0.0.1")]);
  await first;
  assert.deepEqual(await applier.close(), [address("10.0.0.1")]);
});

test("what passes again during a run is told to the next one too [8.10]", async () => {
  const told: number[] = [];
  const end = ends();
  const X = address("10.0.0.1");
  const applier = new Applier({
    steps: [
      {
        name: "forget",
        act: async (_, passed) => {
          told.push(passed.length);
          await new Promise((resolve) => setImmediate(resolve));
          if (told.length === 1) applier.submit(desired(), [X]);
        },
      },
    ],
    onRun: end.run,
  });
  const first = end.next();
  applier.submit(desired(), [X]);
  await first;
  await end.next();
  assert.deepEqual(told, [1, 1]);
  assert.equal(applier.isPassing(X), false);
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
