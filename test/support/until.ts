// Waiting in tests: polling with a generous deadline, because machines are slow at times.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

const SOON_MS = 60_000;
const POLL_MS = 10;

export interface Waiting {
  /** What there is instead, for the failure's message. */
  readonly shown?: () => string;
  readonly deadlineMs?: number;
  readonly pollMs?: number;
}

/** Waits until `holds`; fails when that takes absurdly long. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { shown, deadlineMs = SOON_MS, pollMs = POLL_MS }: Waiting = {},
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      assert.fail(`after ${deadlineMs} ms: ${shown?.() ?? holds.toString()}`);
    }
    await sleep(pollMs);
  }
}
