import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConnection } from "./connection.ts";
import type { Resource } from "./resource.ts";
import { watchEvents } from "./watch.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

/** A server that answers a watch as `answer` does, and the events that come of it. */
async function eventsOf(
  t: TestContext,
  answer: (response: ServerResponse) => Promise<void> | void,
): Promise<{ readonly events: string[]; readonly error: string }> {
  const http = createServer((_, response) => void answer(response)).listen(0, "127.0.0.1");
  t.after(() => http.close());
  await new Promise((resolve) => http.once("listening", resolve));
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const directory = mkdtempSync(join(tmpdir(), "sluice-watch-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "config");
  const contexts = [{ name: "x", context: { cluster: "x", user: "" } }];
  const clusters = [{ name: "x", cluster: { server } }];
  writeFileSync(path, JSON.stringify({ clusters, contexts, "current-context": "x" }));
  const connection = new KubeConnection({ kind: "kubeconfig", path, context: undefined });
  t.after(() => connection.close());
  const events: string[] = [];
  const { signal } = new AbortController();
  const options = { resourceVersion: "7", timeoutSeconds: 60, idleMs: 500, signal };
  try {
    for await (const some of watchEvents(connection, PODS, options)) {
      for (const { type, object } of some) events.push(`${type} ${String(object["name"])}`);
    }
    return { events, error: "" };
  } catch (error) {
    return { events, error: (error as Error).message };
  }
}

const line = (type: string, name: string) => `${JSON.stringify({ type, object: { name } })}\n`;

describe("a watch", () => {
  test("takes lines wherever they are cut, also within a character", async (t) => {
    const text = Buffer.from(line("ADDED", "ä") + line("MODIFIED", "€") + line("DELETED", "ä"));
    const { events, error } = await eventsOf(t, async (response) => {
      for (let i = 0; i < text.length; i += 7) {
        response.write(text.subarray(i, i + 7));
        await sleep(1);
      }
      response.end();
    });
    assert.deepEqual(events, ["ADDED ä", "MODIFIED €", "DELETED ä"]);
    assert.equal(error, "");
  });

  test("gives what came whole before it was cut off", async (t) => {
    for (const end of ["end", "destroy"] as const) {
      const { events, error } = await eventsOf(t, async (response) => {
        response.write(line("ADDED", "a") + line("ADDED", "b").slice(0, 9));
        await sleep(50);
        response[end]();
      });
      assert.deepEqual(events, ["ADDED a"]);
      assert.match(error, /watch: ApiUnreachable/);
    }
  });

  test("tells that the resourceVersion is too old from other errors", async (t) => {
    const gone = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
    const event = `${JSON.stringify({ type: "ERROR", object: gone })}\n`;
    const first = await eventsOf(t, (response) => void response.end(line("ADDED", "a") + event));
    assert.deepEqual(first, { events: ["ADDED a"], error: "pods: too old (watch: Expired)" });
    const second = await eventsOf(t, (response) => {
      response.writeHead(410).end(JSON.stringify(gone));
    });
    assert.equal(second.error, "pods: too old (watch: Expired)");
    const third = await eventsOf(t, (response) => void response.end("no event\n"));
    assert.match(third.error, /what came is no event.*ApiUnreachable/);
  });

  test("does not wait for ever for a silent server", async (t) => {
    const { events, error } = await eventsOf(t, (response) => {
      response.write(line("ADDED", "a"));
    });
    assert.deepEqual(events, ["ADDED a"]);
    assert.match(error, /ApiUnreachable/);
  });
});
