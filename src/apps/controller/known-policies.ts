// The policies as the API server has them: what a status needs to know of its object, and nothing
// of what it means.

import type { StatusCondition } from "../../reconcile/policy-status.ts";

export interface KnownPolicy {
  readonly uid: string;
  /** Of the newest spec, whether it was accepted or not. */
  readonly generation: number;
  /** The status that the object carries; undefined: none. */
  readonly status: unknown;
}

/** What matters of a raw policy. */
export function readKnownPolicy(raw: Readonly<Record<string, unknown>>): KnownPolicy {
  const { metadata, status } = raw as {
    readonly metadata?: { readonly uid?: unknown; readonly generation?: unknown };
    readonly status?: unknown;
  };
  const generation = Number(metadata?.generation ?? 0);
  return { uid: String(metadata?.uid ?? ""), generation, status };
}

/** The conditions of a status, as far as they are conditions. */
export function conditionsOf(status: unknown): readonly StatusCondition[] {
  const { conditions } = (status ?? {}) as { readonly conditions?: unknown };
  if (!Array.isArray(conditions)) return [];
  return conditions.filter((one: unknown): one is StatusCondition => {
    const { type, status } = (one ?? {}) as Partial<StatusCondition>;
    return typeof type === "string" && typeof status === "string";
  });
}
