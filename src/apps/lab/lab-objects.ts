// Where the lab's Kubernetes objects are: in files that the agents watch, or in a real API server.
// All of the lab's commands see the same through this door.

import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMapping } from "../../model/parse/fields.ts";
import type { Issue } from "../../model/issue.ts";
import type { ObjectChange } from "../../model/objects.ts";
import { readInput } from "../../sources/files.ts";
import type { LabPlace } from "./place.ts";
import { writeWhole } from "./state.ts";

export interface LabObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface LabelChange {
  readonly key: string;
  readonly value: string | undefined;
}

export interface LabObjects {
  /** Where they are, as a person is told. */
  readonly name: string;
  /** Creates or replaces an object. */
  put(object: LabObject): Promise<void>;
  /** Sets a label of an object that is there, whoever set it before; undefined: removes it. */
  label(kind: string, name: string, change: LabelChange): Promise<void>;
  /** True if there was one. */
  remove(kind: string, name: string): Promise<boolean>;
  /** The object as it is; undefined: there is none. */
  get(kind: string, name: string): Promise<LabObject | undefined>;
  /** Every object of a kind. */
  all(kind: string): Promise<readonly LabObject[]>;
  /** Everything, as the agents read it. Throws InputError. */
  read(): Promise<{ readonly changes: readonly ObjectChange[]; readonly issues: readonly Issue[] }>;
  /** Another text once something changed. */
  fingerprint(): Promise<string>;
}

/** Those of a lab that is being made, or is up. */
export async function objectsOf(place: LabPlace): Promise<LabObjects> {
  const login = readJson(place.api);
  if (login === undefined) return new FileObjects(place.objects);
  const { ApiObjects } = await import("./api-objects.ts");
  return ApiObjects.open(login);
}

/** A file of JSON; undefined where there is none. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

class FileObjects implements LabObjects {
  readonly name: string;

  constructor(directory: string) {
    this.name = directory;
  }

  async put(object: LabObject): Promise<void> {
    const path = this.#fileOf(object.kind, object.metadata.name);
    writeWhole(path, `${JSON.stringify(object, undefined, 1)}\n`);
  }

  async label(kind: string, name: string, { key, value }: LabelChange): Promise<void> {
    const object = (await this.get(kind, name)) as LabObject;
    const labels: Record<string, string> = { ...object.metadata.labels };
    if (value === undefined) delete labels[key];
    else labels[key] = value;
    await this.put({ ...object, metadata: { ...object.metadata, labels } });
  }

  async remove(kind: string, name: string): Promise<boolean> {
    try {
      rmSync(this.#fileOf(kind, name));
      return true;
    } catch {
      return false;
    }
  }

  async get(kind: string, name: string): Promise<LabObject | undefined> {
    return readJson(this.#fileOf(kind, name)) as LabObject | undefined;
  }

  async all(kind: string): Promise<readonly LabObject[]> {
    const objects = this.#files().map((file) => readJson(join(this.name, file)));
    return objects.filter((one) => isMapping(one) && one["kind"] === kind) as LabObject[];
  }

  read() {
    return readInput([this.name]);
  }

  async fingerprint(): Promise<string> {
    const lines = this.#files().map((file) => {
      const found = statSync(join(this.name, file), { throwIfNoEntry: false });
      return `${file} ${found?.ino} ${found?.mtimeMs}`;
    });
    return lines.join("\n");
  }

  #files(): string[] {
    return readdirSync(this.name).filter((file) => file.endsWith(".json")).sort();
  }

  #fileOf(kind: string, name: string): string {
    return join(this.name, `${kind.toLowerCase()}-${name}.json`);
  }
}
