// A watch of the Kubernetes API: one line of JSON for each event, as they come. When it ends, with
// or without an error, is the caller's business to decide what to do.

import type { OperationError } from "../../lib/operation-error.ts";
import type { Asked } from "./api-error.ts";
import { statusError, unreachable } from "./api-error.ts";
import type { KubeConnection } from "./connection.ts";
import type { RawObject } from "./objects.ts";
import type { Resource } from "./resource.ts";
import { collectionPath } from "./resource.ts";

/** `BOOKMARK`: nothing happened up to the object's resourceVersion. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: RawObject;
}

export interface WatchOptions {
  /** What happened after it is told. */
  readonly resourceVersion: string;
  /** The API server ends the watch after so long. */
  readonly timeoutSeconds: number;
  /** Silence of so long is an error; bookmarks come every minute or so. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

const LF = 10;
/** No object of Kubernetes is as large: etcd's own limit is some megabytes. */
const LINE_BYTES_MAX = 2 ** 25;

/**
 * Events in the order in which they happened, those that came together at a time; first none, when
 * the watch has begun. Ends when the API server ends it between two lines. Throws OperationError,
 * `Expired` where the resourceVersion is too old, `ApiUnreachable` where it is cut off.
 */
export async function* watchEvents(
  connection: KubeConnection,
  resource: Resource,
  { resourceVersion, timeoutSeconds, idleMs, signal }: WatchOptions,
): AsyncGenerator<readonly WatchEvent[], void, undefined> {
  const asked = { op: "watch", target: resource.plural };
  const body = await connection.open({
    ...asked,
    method: "GET",
    path: collectionPath(resource),
    query: {
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    },
    idleMs,
    signal,
  });
  const lines = new Lines(asked);
  try {
    yield [];
    for await (const chunk of body) {
      const { events, failure } = decode(lines.push(chunk as Buffer), asked);
      // What came before the error has happened.
      if (events.length > 0) yield events;
      if (failure !== undefined) throw failure;
    }
  } catch (error) {
    throw unreachable(asked, error);
  } finally {
    // Whoever stops listening before the end leaves no socket behind.
    body.on("error", () => undefined).destroy();
  }
  if (!lines.isComplete) throw unreachable(asked, new Error("cut off in the middle of an event"));
}

interface Decoded {
  readonly events: readonly WatchEvent[];
  readonly failure: OperationError | undefined;
}

function decode(lines: readonly string[], asked: Asked): Decoded {
  const events: WatchEvent[] = [];
  for (const line of lines) {
    const event = parseEvent(line);
    if (event === undefined) {
      return { events, failure: unreachable(asked, new Error("what came is no event")) };
    }
    if (event.type === "ERROR") return { events, failure: statusError(asked, event.object) };
    events.push(event as WatchEvent);
  }
  return { events, failure: undefined };
}

function parseEvent(line: string): { type: string; object: RawObject } | undefined {
  try {
    const event = JSON.parse(line) as { type?: unknown; object?: unknown } | null;
    if (typeof event?.type !== "string" || typeof event.object !== "object") return undefined;
    return { type: event.type, object: event.object as RawObject };
  } catch {
    return undefined;
  }
}

/** Chunks to lines, wherever the chunks were cut. */
class Lines {
  readonly #asked: Asked;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  /** True unless the last line has only begun. */
  get isComplete(): boolean {
    return this.#restBytes === 0;
  }

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#rest.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#rest).toString();
      this.#rest = [];
      this.#restBytes = 0;
      start = end + 1;
      if (line.trim() !== "") lines.push(line);
    }
    if (start === chunk.length) return lines;
    this.#rest.push(chunk.subarray(start));
    this.#restBytes += chunk.length - start;
    if (this.#restBytes > LINE_BYTES_MAX) {
      throw unreachable(this.#asked, new Error("an event has no end"));
    }
    return lines;
  }
}
