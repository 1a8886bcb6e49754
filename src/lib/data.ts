// Plain data as text: JSON for programs that people also read, and YAML. One rule decides the shape
// of both: a list of objects has an element per line (or block), all else stays on its line.

export type Data = null | boolean | number | string | readonly Data[] | DataObject;
export interface DataObject {
  readonly [key: string]: Data;
}

/** JSON on one line: `{"a": 1, "b": [true, null]}`. */
export function inlineJson(data: Data): string {
  if (Array.isArray(data)) return `[${data.map(inlineJson).join(", ")}]`;
  if (typeof data !== "object" || data === null) return JSON.stringify(data);
  const fields = Object.entries(data as DataObject);
  const parts = fields.map(([key, value]) => `${JSON.stringify(key)}: ${inlineJson(value)}`);
  return `{${parts.join(", ")}}`;
}

/** JSON with lists of objects broken into lines, indented by two spaces from `indent`. */
export function blockJson(data: Data, indent = ""): string {
  if (!hasRecords(data)) return inlineJson(data);
  const inner = `${indent}  `;
  if (Array.isArray(data)) {
    return `[\n${data.map((item) => inner + blockJson(item, inner)).join(",\n")}\n${indent}]`;
  }
  const fields = Object.entries(data as DataObject).map(
    ([key, value]) => `${inner}${JSON.stringify(key)}: ${blockJson(value, inner)}`,
  );
  return `{\n${fields.join(",\n")}\n${indent}}`;
}

/** True if a list of objects is somewhere inside. */
function hasRecords(data: Data): boolean {
  if (typeof data !== "object" || data === null) return false;
  if (Array.isArray(data)) return data.some((item) => typeof item === "object" && item !== null);
  return Object.values(data).some(hasRecords);
}

/** A block of YAML without its first indentation and without a final line break. */
export function blockYaml(data: Data, indent = ""): string {
  if (Array.isArray(data) && data.length > 0 && hasRecords(data)) {
    return data.map((item) => `- ${blockYaml(item, `${indent}  `)}`).join(`\n${indent}`);
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) return inlineYaml(data);
  const fields = Object.entries(data as DataObject);
  if (fields.length === 0) return "{}";
  return fields.map(([key, value]) => yamlField(key, value, indent)).join(`\n${indent}`);
}

function yamlField(key: string, value: Data, indent: string): string {
  if (isList(value) && hasRecords(value)) return `${key}:\n${indent}${blockYaml(value, indent)}`;
  if (isList(value) || typeof value !== "object" || value === null) {
    return `${key}: ${inlineYaml(value)}`;
  }
  const inner = `${indent}  `;
  if (Object.keys(value).length === 0) return `${key}: {}`;
  return `${key}:\n${inner}${blockYaml(value, inner)}`;
}

function isList(data: Data): data is readonly Data[] {
  return Array.isArray(data);
}

function inlineYaml(data: Data): string {
  if (isList(data)) return `[${data.map(inlineYaml).join(", ")}]`;
  return typeof data === "string" ? yamlString(data) : JSON.stringify(data);
}

// Without quotes only what YAML 1.1 and 1.2 read as this very string: words, names, dotted
// addresses and prefixes. A JSON string is a YAML string too, once the characters that YAML 1.1
// takes for line breaks are escaped.
const PLAIN_WORD = /^[A-Za-z][A-Za-z0-9_./-]*$/;
const PLAIN_V4 = /^\d+\.\d+\.\d+\.\d+(\/\d+)?$/;
const PLAIN_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NOT_A_WORD = /^(true|false|yes|no|on|off|y|n|null)$/i;

function yamlString(text: string): string {
  if (PLAIN_V4.test(text) || PLAIN_UUID.test(text)) return text;
  if (PLAIN_WORD.test(text) && !NOT_A_WORD.test(text)) return text;
  return JSON.stringify(text).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
