// Reads a cluster from the Kubernetes API once: the input of commands that ask about a live one.

import { KubeConnection } from "../../drivers/kube/connection.ts";
import type { Place } from "../../drivers/kube/access.ts";
import { listPages } from "../../drivers/kube/objects.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { Acknowledgement } from "../../model/acknowledgement.ts";
import type { Issue } from "../../model/issue.ts";
import { issue } from "../../model/issue.ts";
import type { ObjectChange } from "../../model/objects.ts";
import { parseAcknowledgement } from "../../model/parse/acknowledgement.ts";
import type { FileObject } from "../file-objects.ts";
import { sortRaw } from "../file-objects.ts";
import { watchedKinds } from "./kinds.ts";
import type { EndpointSource, WatchedKind } from "./kinds.ts";
import { servedAt } from "./list-watch.ts";

export interface LiveObjects {
  readonly changes: readonly ObjectChange[];
  /** Of kinds that may not be read. */
  readonly issues: readonly Issue[];
  /** What each node's agent says that its kernel holds; undefined: no agents are installed. */
  readonly acknowledgements: ReadonlyMap<string, Acknowledgement> | undefined;
}

export interface ReadLiveOptions {
  readonly endpoints?: EndpointSource;
  /** Called after each page. */
  readonly onProgress?: (objects: number) => void;
}

/** Lists every kind that plays a part. Throws OperationError where a required one fails. */
export async function readKubernetes(
  place: Place,
  { endpoints = "auto", onProgress }: ReadLiveOptions = {},
): Promise<LiveObjects> {
  const connection = new KubeConnection(place);
  const changes: ObjectChange[] = [];
  const issues: Issue[] = [];
  let acknowledgements: Map<string, Acknowledgement> | undefined;
  try {
    await Promise.all(
      watchedKinds(endpoints).map(async (watched) => {
        try {
          for await (const { objects, items } of objectsOf(connection, watched)) {
            for (const { change } of objects) changes.push(change);
            if (watched.kind === "NodeState") {
              acknowledgements = new Map([...(acknowledgements ?? []), ...acknowledged(items)]);
            }
            onProgress?.(changes.length);
          }
        } catch (error) {
          const found = lacking(watched, error);
          if (found !== undefined) issues.push(found);
        }
      }),
    );
  } finally {
    await connection.close();
  }
  return { changes, issues, acknowledgements };
}

function acknowledged(nodeStates: readonly unknown[]): [string, Acknowledgement][] {
  return nodeStates.flatMap((raw) => {
    const { metadata } = (raw ?? {}) as { readonly metadata?: { readonly name?: string } };
    const said = parseAcknowledgement(raw);
    return said === undefined ? [] : [[metadata?.name ?? "", said]];
  });
}

async function* objectsOf(connection: KubeConnection, watched: WatchedKind) {
  const { signal } = new AbortController();
  const resource = await servedAt(watched, connection, signal);
  const { group, version, kind } = resource;
  const type = { apiVersion: group === "" ? version : `${group}/${version}`, kind };
  for await (const { items } of listPages(connection, resource)) {
    const objects: FileObject[] = [];
    const sink = {
      object: (object: FileObject) => void objects.push(object),
      other: () => undefined,
      issue: () => undefined,
    };
    for (const value of items) sortRaw({ value, type, line: 0 }, kind, sink);
    yield { objects, items };
  }
}

/** What to say of an optional kind that cannot be read; throws for a required one. */
function lacking({ kind, required }: WatchedKind, error: unknown): Issue | undefined {
  if (!(error instanceof OperationError)) throw error;
  const { code, message, remedy } = error;
  const refused = code === "NotFound" || code === "Forbidden";
  if (!refused || (required && kind !== "CiliumEgressGatewayPolicy")) throw error;
  if (code === "NotFound" && !required) return undefined;
  return issue("UnreadableApi", { object: kind, path: "" }, `${message}; ${remedy}`);
}
