// The txtar format (golang.org/x/tools/txtar): a comment, then files, each below a line
// `-- name --`. Every part ends with a newline.

export interface Archive {
  readonly comment: string;
  /** In the order of the text. */
  readonly files: ReadonlyMap<string, string>;
}

const MARKER = /^-- (.+) --$/;

export function parseTxtar(text: string): Archive {
  const parts: { name: string | undefined; lines: string[] }[] = [{ name: undefined, lines: [] }];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const name = MARKER.exec(line)?.[1]?.trim();
    if (name === undefined) parts.at(-1)?.lines.push(line);
    else parts.push({ name, lines: [] });
  }
  const [comment, ...files] = parts.map(({ name, lines }) => {
    return { name, text: lines.map((line) => `${line}\n`).join("") };
  });
  return {
    comment: comment?.text ?? "",
    files: new Map(files.map(({ name, text }) => [name as string, text])),
  };
}

export function renderTxtar({ comment, files }: Archive): string {
  return comment + [...files].map(([name, text]) => `-- ${name} --\n${text}`).join("");
}
