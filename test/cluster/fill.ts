// Puts whole objects into the test cluster, what a controller or kubelet would write included: an
// API server leaves out the status of an object that is created.

import { readFileSync } from "node:fs";
import { loadAll } from "js-yaml";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import { applyObject, createObject, mergeObject } from "../../src/drivers/kube/objects.ts";
import type { RawObject } from "../../src/drivers/kube/objects.ts";
import type { Resource } from "../../src/drivers/kube/resource.ts";
import type { Cluster } from "./cluster.ts";

interface Whole extends RawObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: object;
}

const NAMESPACED = new Set(["Pod", "Service", "CiliumEndpoint"]);
/** Kinds whose status is a part of its own; our definitions of custom ones have none. */
const WITH_STATUS = new Set(["Pod", "Node", "Service"]);
const AT_ONCE = 48;

/** Applies every object of these files of YAML. */
export async function fillFrom(cluster: Cluster, ...files: readonly string[]): Promise<void> {
  const objects = files.flatMap((file) => loadAll(readFileSync(file, "utf8")) as Whole[]);
  await fill(cluster, objects);
}

/** Applies objects, those without a namespace first, many at a time. */
export async function fill(cluster: Cluster, objects: readonly object[]): Promise<void> {
  const filler = new Filler(cluster);
  await filler.put(objects);
  await filler.close();
}

type Write = (connection: KubeConnection, whole: Whole) => Promise<void>;

export class Filler {
  readonly #connection: KubeConnection;

  constructor({ kubeconfig: path }: Cluster) {
    this.#connection = new KubeConnection({ kind: "kubeconfig", path, context: undefined });
  }

  /** Creates objects that are not there: half of the work of applying them. */
  async create(objects: readonly object[]): Promise<void> {
    await this.#each(objects, createWhole);
  }

  async put(objects: readonly object[]): Promise<void> {
    await this.#each(objects, applyWhole);
  }

  async #each(objects: readonly object[], write: Write): Promise<void> {
    const all = objects as readonly Whole[];
    const outer = all.filter(({ kind }) => !NAMESPACED.has(kind));
    const inner = all.filter(({ kind }) => NAMESPACED.has(kind));
    for (const some of [outer, inner]) {
      let next = 0;
      const work = async () => {
        while (next < some.length) {
          const one = some[next++] as Whole;
          await write(this.#connection, one);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

async function applyWhole(connection: KubeConnection, whole: Whole): Promise<void> {
  const { status, ...object } = whole;
  const { name, namespace } = whole.metadata;
  const resource = resourceOf(whole);
  const at = namespace === undefined ? { name } : { name, namespace };
  const options = { fieldManager: "test", force: true };
  if (!WITH_STATUS.has(whole.kind)) {
    await applyObject(connection, resource, at, whole, options);
    return;
  }
  await applyObject(connection, resource, at, object, options);
  if (status === undefined) return;
  await mergeObject(connection, resource, at, { status }, { subresource: "status" });
}

async function createWhole(connection: KubeConnection, whole: Whole): Promise<void> {
  const { status, ...object } = whole;
  const { name, namespace } = whole.metadata;
  const resource = resourceOf(whole);
  await createObject(connection, resource, WITH_STATUS.has(whole.kind) ? object : whole);
  if (status === undefined || !WITH_STATUS.has(whole.kind)) return;
  const at = namespace === undefined ? { name } : { name, namespace };
  await mergeObject(connection, resource, at, { status }, { subresource: "status" });
}

function resourceOf({ apiVersion, kind }: Whole): Resource {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const plural = kind.endsWith("y")
    ? `${kind.slice(0, -1).toLowerCase()}ies`
    : `${kind.toLowerCase()}s`;
  return { group, version, plural, kind, namespaced: NAMESPACED.has(kind) };
}
