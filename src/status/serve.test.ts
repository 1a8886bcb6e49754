import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { assertValid } from "../../test/support/schema.ts";
import { sampleStatus } from "../../test/support/sample-status.ts";
import { OperationError } from "../lib/operation-error.ts";
import { askStatus } from "./ask.ts";
import type { ServeOptions } from "./serve.ts";
import { serveStatus } from "./serve.ts";

const ANY = "127.0.0.1:0";

async function served(t: TestContext, more: Partial<ServeOptions> = {}) {
  const document = () => Promise.resolve(sampleStatus());
  const server = await serveStatus({ listen: ANY, metricsListen: ANY, document, ...more });
  t.after(() => server.close());
  const get = async (address: string, path: string, method = "GET") => {
    const response = await fetch(`http://${address}${path}`, { method });
    const type = response.headers.get("content-type") ?? "";
    return { code: response.status, type, text: await response.text() };
  };
  return {
    server,
    status: (path: string, method?: string) => get(server.address, path, method),
    metrics: (path: string, method?: string) => get(server.metricsAddress, path, method),
  };
}

function fails(promise: Promise<unknown>, code: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.code, code);
    assert.doesNotMatch(error.remedy, /errno/);
    return true;
  });
}

describe("the status over HTTP", () => {
  test("is the document on the status address, and what askStatus gets", async (t) => {
    const { server, status } = await served(t);
    const { code, type, text } = await status("/v1/status");
    assert.deepEqual([code, type], [200, "application/json"]);
    assertValid("status", JSON.parse(text));
    assert.deepEqual(JSON.parse(text), sampleStatus());
    assert.deepEqual(await askStatus(server.address), sampleStatus());
    assert.equal((await status("/v1/status", "HEAD")).text, "");
  });

  test("is only there: the metrics address has metrics and probes", async (t) => {
    const { status, metrics } = await served(t);
    assert.equal((await metrics("/v1/status")).code, 404);
    assert.equal((await status("/metrics")).code, 404);
    assert.equal((await metrics("/metrics", "POST")).code, 405);
    const { code, type, text } = await metrics("/metrics");
    assert.deepEqual([code, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    assert.match(text, /^sluice_ready 1$/m);
    assert.equal((await metrics("/healthz")).text, "ok\n");
    assert.deepEqual((await metrics("/readyz?verbose")).code, 200);
  });

  test("says 503 and why while the node is not ready, and is healthy all the same", async (t) => {
    const document = sampleStatus({ ready: false, waitingFor: "the first list" });
    const { metrics } = await served(t, { document: () => Promise.resolve(document) });
    const { code, text } = await metrics("/readyz");
    assert.deepEqual([code, text], [503, "the first list\n"]);
    assert.equal((await metrics("/healthz")).code, 200);
  });

  test("answers 500 when the document cannot be made, and goes on", async (t) => {
    let broken = true;
    const document = () => {
      return broken ? Promise.reject(new Error("no counters")) : Promise.resolve(sampleStatus());
    };
    const { server, status } = await served(t, { document });
    const { code, text } = await status("/v1/status");
    assert.deepEqual([code, text], [500, "no counters\n"]);
    await fails(askStatus(server.address), "ForeignAnswer");
    broken = false;
    assert.equal((await status("/v1/status")).code, 200);
  });

  test("makes one document for all who ask at the same time", async (t) => {
    let made = 0;
    const document = async () => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return sampleStatus();
    };
    const { status, metrics } = await served(t, { document });
    await Promise.all([status("/v1/status"), status("/v1/status"), metrics("/metrics")]);
    assert.equal(made, 1);
    await status("/v1/status");
    assert.equal(made, 2);
  });

  test("is served on loopback addresses only, and nowhere twice", async (t) => {
    const document = () => Promise.resolve(sampleStatus());
    const attempt = (listen: string, metricsListen = "") =>
      serveStatus({ listen, metricsListen, document });
    for (const listen of ["0.0.0.0:0", "[::]:0", "192.0.2.1:9879", "localhost:1", "127.0.0.1"]) {
      await fails(attempt(listen), "BadListen");
    }
    for (const metrics of ["::1:80", "[127.0.0.1]:80", "127.0.0.1:65536", ":80"]) {
      await fails(attempt(ANY, metrics), "BadListen");
    }
    const { server } = await served(t);
    await fails(attempt(server.address), "EADDRINUSE");
    await fails(attempt(ANY, server.metricsAddress), "EADDRINUSE");
    const alone = await attempt(ANY);
    assert.equal(alone.metricsAddress, "");
    await alone.close();
    await fails(askStatus(alone.address), "NoAgent");
  });
});
