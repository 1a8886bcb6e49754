// Policies of a running lab: `kubectl apply` and `kubectl delete` for the one kind that matters.

import { createReadStream } from "node:fs";
import type { Issue } from "../../model/issue.ts";
import type { Parsed } from "../../model/parse/object.ts";
import { parseObject } from "../../model/parse/object.ts";
import type { RawValue } from "../../sources/documents.ts";
import { DocumentReader } from "../../sources/documents.ts";
import { InputError, readInput } from "../../sources/files.ts";
import { LabError } from "./lab-error.ts";
import { objectsOf } from "./lab-objects.ts";
import { now } from "./objects.ts";
import type { LabPlace } from "./place.ts";

const KIND = "CiliumEgressGatewayPolicy";

interface RawPolicy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string };
}

/** Creates or replaces the policies of a file; their names. Nothing is done if one is refused. */
export async function applyPolicies(place: LabPlace, file: string): Promise<string[]> {
  const policies = await readPolicies(file);
  const objects = await objectsOf(place);
  for (const policy of policies) {
    const { name, creationTimestamp } = policy.metadata;
    // As an API server does: the first version's time stays.
    const before = (await objects.get(KIND, name))?.metadata["creationTimestamp"];
    const created = before ?? creationTimestamp ?? now();
    await objects.put({
      ...policy,
      metadata: { ...policy.metadata, creationTimestamp: created },
    });
  }
  return policies.map(({ metadata }) => metadata.name);
}

/** Deletes a policy. Throws LabError if there is none. */
export async function deletePolicy(place: LabPlace, name: string): Promise<void> {
  const objects = await objectsOf(place);
  if (!(await objects.remove(KIND, name))) throw new LabError(`there is no policy '${name}'`);
}

async function readPolicies(file: string): Promise<RawPolicy[]> {
  const values: RawValue[] = [];
  try {
    // What is wrong with the text, this says better.
    const { issues, changes } = await readInput([file]);
    refuse(file, [...issues, ...changes.flatMap((change) => change.issues)]);
    const reader = new DocumentReader(file, (raw) => values.push(raw));
    for await (const chunk of createReadStream(file)) reader.push(chunk as Buffer);
    reader.end();
  } catch (error) {
    if (error instanceof InputError) throw new LabError(error.message);
    throw error;
  }
  for (const { value, type, line } of values) {
    const parsed = parseObject(value, type);
    if (parsed.kind === "object" && parsed.change.kind === KIND) continue;
    const problem = `${nameOf(parsed)} is no ${KIND}`;
    throw new LabError(`${file}:${line}: ${problem}`, "The lab makes all else itself.");
  }
  if (values.length === 0) throw new LabError(`${file}: there is no policy in it`);
  return values.map(({ value, type }) => ({ ...type, ...(value as RawPolicy) }));
}

function nameOf(parsed: Parsed): string {
  if (parsed.kind === "object") return parsed.change.kind;
  return parsed.kind === "other" ? parsed.name : "this";
}

function refuse(file: string, issues: readonly Issue[]): void {
  const errors = issues.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  const lines = errors.map(({ object, path, message }) => {
    return `${[object, path].filter((part) => part !== "").join(" ")}: ${message}`;
  });
  throw new LabError(`${file} is refused`, lines.join("\n"));
}
