// The published JSON Schemas, as validators.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";

type SchemaName =
  | ("plan" | "diff" | "explanation" | "validation" | "maps")
  | ("status" | "cluster-status" | "doctor");

/** The schema of a document kind as it is published. */
export function schemaOf(name: SchemaName): Record<string, unknown> {
  const url = new URL(`../../schemas/${name}.schema.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as Record<string, unknown>;
}

/** Fails, with the schema's reasons, unless `document` is valid. */
export function assertValid(name: SchemaName, document: unknown): void {
  const validate = new Ajv({ strict: true, strictTypes: false }).compile(schemaOf(name));
  assert.ok(validate(document), JSON.stringify(validate.errors, undefined, 1));
}
