// Somebody else takes away, on a running node, what the agent made: it comes back by the kernel's
// events alone, long before the agent would look by itself.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { check, makeLab, missingForLab, succeed } from "./make-lab.ts";

const POLICY = "demo/policy.yaml";
/** The agent's own look comes every 30 s; on a busy machine events may take some. */
const SOON_MS = 15_000;

const ACCIDENTS = {
  "a rule": "ip rule del priority 92",
  "the routes": "ip route flush table 21000",
  "the tunnel": "ip link del sluice0",
  "the ruleset's chains": "nft flush table inet sluice",
  "the whole ruleset": "nft delete table inet sluice",
} as const;

test("what somebody takes away from a node is put back", {
  skip: missingForLab() ?? false,
}, async (t) => {
  const { name, lab } = makeLab(t);
  succeed(lab("up", "--pods", "2"));
  succeed(lab("policy", "apply", POLICY));
  assert.equal(check(lab).exit, 0);
  const onNode = (script: string) => {
    const enter = [`--net=/run/netns/sl-${name}_worker-1`, "sh", "-ec", script];
    const { status, stdout, stderr } = spawnSync("nsenter", enter, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const state = () =>
    onNode(`ip rule; ip route show table 21000; ip -br link
      nft -s list table inet sluice 2>&1 || true`)
      // A device that was made anew has another address, a hash table another order.
      .replaceAll(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g, "MAC")
      .split(/[\n,]/)
      .map((line) => line.trim())
      .sort()
      .join("\n");
  const before = state();
  for (const [what, accident] of Object.entries(ACCIDENTS)) {
    onNode(accident);
    const after = onNode("ip rule; ip route show table 21000; ip -br link");
    const deadline = performance.now() + SOON_MS;
    while (state() !== before) {
      if (performance.now() > deadline) assert.equal(state(), before, `${what}: ${after}`);
      await sleep(100);
    }
  }
  assert.equal(check(lab).exit, 0, "everything works as before");
});
