// The table of issue codes in docs/json.md, made from the one in src/model/issue.ts.

interface CodeEntry {
  readonly severity: string;
  readonly meaning: string;
  readonly remedy: string;
}

const BEGIN = "<!-- issue codes: made from src/model/issue.ts -->\n";
const END = "<!-- end of issue codes -->\n";

export function renderIssueCodes(codes: Readonly<Record<string, CodeEntry>>): string {
  const rows = Object.entries(codes).map(
    ([code, { severity, meaning, remedy }]) =>
      `| \`${code}\` | ${severity} | ${meaning} | ${remedy} |`,
  );
  return ["| code | severity | meaning | remedy |", "| --- | --- | --- | --- |", ...rows, ""].join(
    "\n",
  );
}

/** `document` with `table` between its two marks, which must be there. */
export function withIssueCodes(document: string, table: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/json.md has lost the marks of its table");
  return document.slice(0, begin + BEGIN.length) + table + document.slice(end);
}
