// `sluice status` against a status that this process serves.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { serveStatus } from "../../src/status/serve.ts";
import type { Finished } from "../support/run-cli.ts";
import { MAIN } from "../support/run-cli.ts";
import { assertValid } from "../support/schema.ts";
import { sampleStatus } from "../support/sample-status.ts";

/** Not the synchronous one of the other tests: this process has to answer. */
function sluiceStatus(...words: string[]): Promise<Finished> {
  const env = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" };
  return new Promise((resolve) => {
    const args = [MAIN, "status", ...words];
    const child = execFile(process.execPath, args, { env }, (_error, stdout, stderr) => {
      resolve({ exit: child.exitCode, stdout, stderr });
    });
  });
}

async function agent(t: TestContext, ready: boolean): Promise<string> {
  const waitingFor = ready ? "" : "rows";
  const document = () => Promise.resolve(sampleStatus({ ready, waitingFor }));
  const server = await serveStatus({ listen: "[::1]:0", metricsListen: "", document });
  t.after(() => server.close());
  return server.address;
}

test("sluice status shows the status, and exits with 1 while it is not ready", async (t) => {
  const good = await sluiceStatus("--address", await agent(t, true));
  assert.deepEqual([good.exit, good.stderr], [0, ""]);
  assert.match(good.stdout, /^gw-1  ready · sluice 1\.2\.3\n/);
  assert.match(good.stdout, /NoGateway  5 packets dropped/);
  const bad = await sluiceStatus("--address", await agent(t, false));
  assert.equal(bad.exit, 1);
  assert.match(bad.stdout, /^gw-1  not ready .*\n  waits for rows\n/);
});

test("sluice status -o json writes the document", async (t) => {
  const { exit, stdout } = await sluiceStatus("--address", await agent(t, true), "-o", "json");
  assert.equal(exit, 0);
  assertValid("status", JSON.parse(stdout));
  assert.deepEqual(JSON.parse(stdout), sampleStatus());
});

test("sluice status says what to do where no agent answers", async () => {
  const absent = await sluiceStatus("--address", "127.0.0.1:1");
  assert.equal(absent.exit, 2);
  assert.match(absent.stderr, /127\.0\.0\.1:1: no agent answers .*\n.*sluice agent/);
  const wrong = await sluiceStatus("--address", "here");
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /here: this is no address with a port.*\nWrite both, as in.*\n$/);
});

test("sluice status of a cluster that a kubeconfig does not name is wrong usage", async () => {
  for (const words of [["--kubeconfig", "/nonexistent"], ["--kubeconfig", "/etc/passwd"]]) {
    const { exit, stderr } = await sluiceStatus(...words);
    assert.equal(exit, 2, stderr);
    assert.match(stderr, /^sluice status: .*\n.*kubectl --kubeconfig FILE config view/);
  }
});
