// The tables of docs/json.md: fields as the JSON Schemas describe them, issue codes as
// src/model/issue.ts does. The document cannot say anything else than the program.

/** As much of JSON Schema as schemas/ uses. */
export interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

interface CodeEntry {
  readonly severity: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** One row for each issue code. */
export function renderIssueCodes(codes: Readonly<Record<string, CodeEntry>>): string {
  const rows = Object.entries(codes).map(([code, { severity, meaning, remedy }]) => [
    `\`${code}\``,
    severity,
    meaning,
    remedy,
  ]);
  return renderTable(["code", "severity", "meaning", "remedy"], rows);
}

/** The document's own fields, then a table for each of its definitions that has fields. */
export function renderSchema(schema: Schema): string {
  const parts = [renderTable(["field", "type", "meaning"], fieldRows(schema, ""))];
  for (const [name, definition] of Object.entries(schema.definitions ?? {})) {
    const rows = fieldRows(definition, "");
    if (rows.length === 0) continue;
    const about = definition.description === undefined ? "" : `: ${definition.description}`;
    parts.push(`**${name}**${about}\n`, renderTable(["field", "type", "meaning"], rows));
  }
  return parts.join("\n");
}

/** A table of Markdown. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(heads) + line(heads.map(() => "---")) + rows.map(line).join("");
}

/** Fields of an object, those of objects written inside it included, as in `moves[].uid`. */
function fieldRows(schema: Schema, prefix: string): string[][] {
  const rows = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const optional = schema.required?.includes(name) === true ? "" : ", optional";
    const path = prefix + name;
    const row = [`\`${path}\``, renderType(field) + optional, field.description ?? ""];
    const inner = field.items ?? field;
    return [row, ...fieldRows(inner, `${path}${field.items === undefined ? "" : "[]"}.`)];
  });
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])];
  return [...rows, ...variants.flatMap((variant) => variantRows(variant, prefix))];
}

/** What is added to an object of one kind. */
function variantRows(variant: Schema, prefix: string): string[][] {
  const { kind, ...others } = variant.properties ?? {};
  if (kind === undefined) return [];
  const row = [`\`${prefix}kind\``, renderType(kind), variant.description ?? ""];
  const rows = fieldRows({ ...variant, properties: others }, prefix);
  return [row, ...rows.map(([field = "", ...cells]) => [`… ${field}`, ...cells])];
}

function renderType(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  if (schema.const !== undefined) return renderValue(schema.const);
  if (schema.enum !== undefined) return alternatives(schema.enum.map(renderValue));
  if (schema.anyOf !== undefined) return alternatives(schema.anyOf.map(renderType));
  const types = [schema.type ?? "object"].flat();
  return alternatives(types.map((type) => renderPlainType(type, schema)));
}

function renderPlainType(type: string, { items, additionalProperties }: Schema): string {
  if (type === "array") return `list of ${renderType(items ?? {})}`;
  if (type === "object" && typeof additionalProperties === "object") {
    return `map to ${renderType(additionalProperties)}`;
  }
  return type;
}

function renderValue(value: unknown): string {
  return value === null ? "null" : `\`${JSON.stringify(value)}\``;
}

function alternatives(texts: readonly string[]): string {
  return [...new Set(texts)].join(" or ");
}

/** `document` with `text` between the two marks that name `source`; they must be there. */
export function withGenerated(document: string, source: string, text: string): string {
  const begin = `<!-- made from ${source} -->\n`;
  const start = document.indexOf(begin) + begin.length;
  const end = document.indexOf(`<!-- end of ${source} -->\n`);
  if (!document.includes(begin) || end < start) {
    throw new Error(`the document has lost the marks of what is made from ${source}`);
  }
  return `${document.slice(0, start)}\n${text}\n${document.slice(end)}`;
}
