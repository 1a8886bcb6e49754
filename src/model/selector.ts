// Label selectors as Kubernetes defines them (meta/v1 LabelSelector): all requirements must hold.

import { compareBytes } from "../lib/order.ts";
import type { Labels } from "./labels.ts";
import { labelValue } from "./labels.ts";

export type Operator = "In" | "NotIn" | "Exists" | "DoesNotExist";

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  /** Sorted, unique; empty for Exists and DoesNotExist. matchLabels become In with one value. */
  readonly values: readonly string[];
}

/** Sorted by key, operator and values, so that equal selectors have equal text. Empty: all. */
export type Selector = readonly Requirement[];

/** True if every requirement holds for `labels`. */
export function selectorMatches(selector: Selector, labels: Labels): boolean {
  for (const requirement of selector) {
    if (!requirementHolds(requirement, labels)) return false;
  }
  return true;
}

/** NotIn and DoesNotExist hold where the key is absent, as in Kubernetes. */
export function requirementHolds(requirement: Requirement, labels: Labels): boolean {
  const value = labelValue(labels, requirement.key);
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** The canonical order of a selector's requirements. */
export function compareRequirements(a: Requirement, b: Requirement): number {
  return (
    compareBytes(a.key, b.key) ||
    compareBytes(a.operator, b.operator) ||
    compareBytes(a.values.join(","), b.values.join(","))
  );
}

/** As `kubectl -l` writes it: `app=web,tier in (a,b),!legacy`; `everything` when empty. */
export function renderSelector(selector: Selector): string {
  return selector.map(renderRequirement).join(",") || "everything";
}

/** One requirement, as `kubectl -l` writes it. */
export function renderRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case "In":
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(",")})`;
    case "NotIn":
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
  }
}
