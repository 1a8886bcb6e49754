// Reading and writing objects of the Kubernetes API, as they are. All functions throw
// OperationError.

import type { KubeConnection, Request } from "./connection.ts";
import type { ObjectName, Resource } from "./resource.ts";
import {
  apiVersionOf,
  collectionPath,
  objectPath,
  targetOf,
  versionPath,
} from "./resource.ts";

/** An object as the API gives it. */
export type RawObject = Readonly<Record<string, unknown>>;

export interface Page {
  readonly items: readonly unknown[];
  /** Of the whole list: the same for each of its pages. */
  readonly resourceVersion: string;
}

export interface ListOptions {
  /** Objects of a page; the API server keeps to it. */
  readonly limit?: number;
  readonly namespace?: string;
  readonly signal?: AbortSignal;
}

const PAGE_OBJECTS = 500;

interface RawList {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[] | null;
}

/** All objects of a kind, page by page. `Expired` on the way: begin anew. */
export async function* listPages(
  connection: KubeConnection,
  resource: Resource,
  { limit = PAGE_OBJECTS, namespace, signal }: ListOptions = {},
): AsyncGenerator<Page, void, undefined> {
  let token = "";
  do {
    const query = { limit: String(limit), ...(token === "" ? {} : { continue: token }) };
    const list = (await connection.ask({
      op: "list",
      target: resource.plural,
      method: "GET",
      path: collectionPath(resource, namespace),
      query,
      ...(signal === undefined ? {} : { signal }),
    })) as RawList;
    const { resourceVersion = "", continue: more = "" } = list.metadata ?? {};
    yield { items: list.items ?? [], resourceVersion };
    token = more;
  } while (token !== "");
}

/**
 * Whether the API server says that it serves the kind. A list does not tell: whoever has no right
 * to it is refused it all the same where there is nothing. Who may not even ask is told it does.
 */
export async function isServed(
  connection: KubeConnection,
  resource: Resource,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    return (await namesServed(connection, resource, signal)).includes(resource.plural);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "NotFound") return false;
    if (code === "Forbidden") return true;
    throw error;
  }
}

/** True if objects of the kind have this part (`status`), as anybody who is known may ask. */
export async function hasSubresource(
  connection: KubeConnection,
  resource: Resource,
  subresource: string,
): Promise<boolean> {
  const names = await namesServed(connection, resource);
  return names.includes(`${resource.plural}/${subresource}`);
}

/** What is served of the resource's group in its version: `pods`, `pods/status`. */
async function namesServed(
  connection: KubeConnection,
  resource: Resource,
  signal?: AbortSignal,
): Promise<string[]> {
  const { resources = [] } = (await connection.ask({
    op: "discover",
    target: apiVersionOf(resource),
    method: "GET",
    path: versionPath(resource),
    ...(signal === undefined ? {} : { signal }),
  })) as { readonly resources?: readonly { readonly name?: string }[] };
  return resources.map(({ name = "" }) => name);
}

/** One object; undefined: there is none. */
export async function getObject(
  connection: KubeConnection,
  resource: Resource,
  name: ObjectName,
): Promise<RawObject | undefined> {
  try {
    return (await connection.ask(requestFor("get", resource, name))) as RawObject;
  } catch (error) {
    if ((error as { code?: string }).code === "NotFound") return undefined;
    throw error;
  }
}

/** Creates the object; `AlreadyExists` if there is one. */
export async function createObject(
  connection: KubeConnection,
  resource: Resource,
  object: RawObject,
): Promise<RawObject> {
  const { namespace = "", name = "" } = (object["metadata"] ?? {}) as Partial<ObjectName>;
  return (await connection.ask({
    op: "create",
    target: targetOf(resource, { name, namespace }),
    method: "POST",
    path: collectionPath(resource, namespace),
    body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
  })) as RawObject;
}

export interface ApplyOptions {
  /** Who owns the fields that are applied. */
  readonly fieldManager: string;
  /** Takes fields from other owners; otherwise that is a `Conflict`. */
  readonly force?: boolean;
  /** Only this part is written: `status`. */
  readonly subresource?: string;
  /** Nothing is written; everything is checked. */
  readonly dryRun?: boolean;
}

/** Server-side apply: creates the object, or makes our fields equal to those given. */
export async function applyObject(
  connection: KubeConnection,
  resource: Resource,
  name: ObjectName,
  object: RawObject,
  options: ApplyOptions,
): Promise<RawObject> {
  const { fieldManager, force = false, subresource = "", dryRun = false } = options;
  const metadata = { ...(object["metadata"] as object | undefined), ...name };
  return (await connection.ask({
    ...requestFor("apply", resource, name, subresource),
    method: "PATCH",
    // JSON is YAML.
    contentType: "application/apply-patch+yaml",
    query: { fieldManager, force: String(force), ...(dryRun ? { dryRun: "All" } : {}) },
    body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object, metadata },
  })) as RawObject;
}

/** A JSON merge patch of the object or of its part: null removes a field. */
export async function mergeObject(
  connection: KubeConnection,
  resource: Resource,
  name: ObjectName,
  patch: RawObject,
  { subresource = "" }: { readonly subresource?: string } = {},
): Promise<RawObject> {
  return (await connection.ask({
    ...requestFor("patch", resource, name, subresource),
    method: "PATCH",
    contentType: "application/merge-patch+json",
    body: patch,
  })) as RawObject;
}

export interface DeleteOptions {
  /** Background by default: what belongs to the object goes after it. */
  readonly propagation?: "Background" | "Foreground";
  /** Of a Pod: how long its containers have; 0: the object goes at once. */
  readonly graceSeconds?: number;
}

/** Deletes the object; false: there was none. */
export async function deleteObject(
  connection: KubeConnection,
  resource: Resource,
  name: ObjectName,
  { propagation = "Background", graceSeconds }: DeleteOptions = {},
): Promise<boolean> {
  try {
    const grace = graceSeconds === undefined ? {} : { gracePeriodSeconds: String(graceSeconds) };
    const query = { propagationPolicy: propagation, ...grace };
    await connection.ask({ ...requestFor("delete", resource, name), method: "DELETE", query });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "NotFound") return false;
    throw error;
  }
}

function requestFor(op: string, resource: Resource, name: ObjectName, subresource = ""): Request {
  const path = objectPath(resource, name, subresource);
  return { op, target: targetOf(resource, name), method: "GET", path };
}
