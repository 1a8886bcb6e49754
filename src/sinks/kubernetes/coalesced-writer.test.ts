import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { until } from "../../../test/support/until.ts";
import { OperationError } from "../../lib/operation-error.ts";
import { CoalescedWriter } from "./coalesced-writer.ts";

const KEYS = 3;
const CHANGES = 200;

/** Changes every key many times; gives what was written, and the number of writes. */
async function storm(t: TestContext, intervalMs: number) {
  const written = new Map<string, number>();
  const writer = new CoalescedWriter<number>({
    intervalMs,
    async write(key, value) {
      await sleep(1);
      written.set(key, value);
    },
  });
  t.after(() => writer.close());
  for (let value = 1; value <= CHANGES; value++) {
    for (let key = 0; key < KEYS; key++) writer.submit(`${key}`, value);
    await sleep(KEYS);
  }
  await until(() => written.size === KEYS && [...written.values()].every((one) => one === CHANGES));
  return writer.writes;
}

describe("a coalescing writer", () => {
  test("writes a key once per interval however often it changes, the last value too", async (t) => {
    const without = await storm(t, 0);
    assert.ok(without > 20 * KEYS, `the control: without an interval ${without} writes`);
    const writes = await storm(t, 60_000 / CHANGES);
    assert.ok(writes >= KEYS && writes < without / 4, `${writes} writes, without ${without}`);
  });

  test("tries again what failed, with the newest value", async (t) => {
    const tried: number[] = [];
    let broken = true;
    const writer = new CoalescedWriter<number>({
      intervalMs: 0,
      write(_, value) {
        tried.push(value);
        if (!broken) return Promise.resolve();
        return Promise.reject(new OperationError({ code: "EIO", op: "write", target: "it" }));
      },
    });
    t.after(() => writer.close());
    writer.submit("a", 1);
    await until(() => tried.length === 1);
    broken = false;
    writer.submit("a", 2);
    await until(() => writer.writes === 1);
    assert.deepEqual(tried, [1, 2]);
  });

  test("does not write what was forgotten", async (t) => {
    const tried: string[] = [];
    const writer = new CoalescedWriter<number>({
      intervalMs: 50,
      write: (key) => Promise.resolve(void tried.push(key)),
    });
    t.after(() => writer.close());
    writer.submit("a", 1);
    await until(() => writer.writes === 1);
    writer.submit("a", 2);
    writer.forget("a");
    writer.submit("b", 1);
    await sleep(100);
    assert.deepEqual(tried, ["a", "b"]);
  });
});
