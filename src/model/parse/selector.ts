// Reads label selectors and refuses what Kubernetes refuses (apimachinery: labels.NewRequirement,
// validation.IsQualifiedName, IsValidLabelValue).

import { compareBytes } from "../../lib/order.ts";
import type { Operator, Requirement, Selector } from "../selector.ts";
import { compareRequirements } from "../selector.ts";
import type { Fields } from "./fields.ts";
import { closest, shorten, show } from "./wording.ts";

const FIELDS = ["matchLabels", "matchExpressions"];
const OPERATORS: readonly Operator[] = ["In", "NotIn", "Exists", "DoesNotExist"];
const NAME_LENGTH_MAX = 63;
const PREFIX_LENGTH_MAX = 253;
const LABEL_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const KEY_FORM =
  "a label key is a name of up to 63 letters, digits, '-', '_' and '.', which may follow a DNS " +
  "name and '/'";
const VALUE_FORM = "a label value has up to 63 letters, digits, '-', '_' and '.', or is empty";

/** Why Kubernetes would refuse a label; undefined: it would not. */
export function labelComplaint({ key, value = "" }: LabelText): string | undefined {
  if (!isLabelKey(key)) return `${show(key)}: ${KEY_FORM}`;
  return isLabelValue(value) ? undefined : `${show(value)}: ${VALUE_FORM}`;
}

interface LabelText {
  readonly key: string;
  /** Undefined: it is the key alone that is asked about. */
  readonly value?: string | undefined;
}

/** The canonical selector that these fields (`matchLabels`, `matchExpressions`) write. */
export function readSelector(fields: Fields): Selector {
  refuseUnknown(fields);
  const requirements: Requirement[] = [];
  const labels = fields.fields("matchLabels");
  for (const [key, value] of fields.stringMap("matchLabels")) {
    if (!isLabelKey(key)) labels.note("InvalidSelector", `${show(key)}: ${KEY_FORM}`, key);
    if (!isLabelValue(value)) labels.note("InvalidSelector", `${show(value)}: ${VALUE_FORM}`, key);
    requirements.push({ key, operator: "In", values: [value] });
  }
  for (const expression of fields.each("matchExpressions")) {
    const requirement = readRequirement(expression);
    if (requirement !== undefined) requirements.push(requirement);
  }
  return requirements.sort(compareRequirements);
}

/** Without a condition that nobody reads, a selector would match more: `{app: web}` everything. */
function refuseUnknown(fields: Fields): void {
  const unknown = fields.keys().filter((key) => !FIELDS.includes(key));
  for (const key of unknown) {
    const value = fields.apart().string(key);
    const label = value === "" ? "" : `: {${shorten(key)}: ${shorten(value)}}`;
    const meant = closest(key, FIELDS) ?? `matchLabels${label}`;
    const matched = unknown.length === fields.keys().length ? "everything" : "more";
    const problem =
      `${show(key)} is no field of a selector, so this one would match ${matched}`;
    fields.note("InvalidSelector", `${problem}; write ${meant}`, key);
  }
}

function readRequirement(fields: Fields): Requirement | undefined {
  fields.expectOnly(["key", "operator", "values"]);
  const key = readKey(fields);
  const operator = readOperator(fields);
  const values = readValues(fields);
  if (operator === undefined) return undefined;
  const takesValues = operator === "In" || operator === "NotIn";
  // The length of the list itself: an element that is no text has been noted already.
  const written = fields.length("values");
  if (takesValues && written === 0) {
    fields.note("InvalidSelector", `${operator} needs values; list at least one`, "values");
  }
  if (!takesValues && written > 0) {
    fields.note("InvalidSelector", `${operator} takes no values; remove them`, "values");
  }
  return { key, operator, values: takesValues ? values : [] };
}

function readKey(fields: Fields): string {
  const before = fields.noted;
  const key = fields.string("key");
  if (!isLabelKey(key) && fields.noted === before) {
    fields.note("InvalidSelector", `${show(key)}: ${KEY_FORM}`, "key");
  }
  return key;
}

function readOperator(fields: Fields): Operator | undefined {
  const before = fields.noted;
  const text = fields.string("operator");
  if (fields.noted > before) return undefined;
  const operator = OPERATORS.find((one) => one === text);
  if (operator === undefined) {
    const meant = closest(text, OPERATORS);
    const remedy = meant ?? "In, NotIn, Exists or DoesNotExist";
    fields.note("InvalidSelector", `${show(text)} is no operator; write ${remedy}`, "operator");
  }
  return operator;
}

function readValues(fields: Fields): readonly string[] {
  const values = new Set<string>();
  for (const { text, index } of fields.strings("values")) {
    if (!isLabelValue(text)) {
      fields.note("InvalidSelector", `${show(text)}: ${VALUE_FORM}`, "values", index);
    }
    values.add(text);
  }
  return [...values].sort(compareBytes);
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = key.slice(0, Math.max(slash, 0));
  const name = key.slice(slash + 1);
  const prefixed = slash < 0 || (prefix.length <= PREFIX_LENGTH_MAX && DNS_SUBDOMAIN.test(prefix));
  return prefixed && name.length <= NAME_LENGTH_MAX && LABEL_NAME.test(name);
}

function isLabelValue(value: string): boolean {
  return value === "" || (value.length <= NAME_LENGTH_MAX && LABEL_NAME.test(value));
}
