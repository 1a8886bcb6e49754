// A story: blocks of commands with the output that they must have, and the files that the commands
// speak of. What the commands do is told in test/scenario/script.ts and test/scenario/play.ts.
//
//   # Title with the rules that it proves. [5.1, 7.6]
//   node gw-1 rows all
//   apply cluster.yaml
//   turn
//   ----
//   + 10.0.1.5 0.0.0.0/0 -> gateway 192.168.1.1 egress 192.0.2.10
//
// A block ends with an empty line. Without `----` it must print nothing.

import { parseTxtar, renderTxtar } from "./txtar.ts";

export interface Block {
  /** Commands and comments, as written. */
  readonly lines: readonly string[];
  /** The lines below `----`. */
  readonly output: readonly string[];
}

export interface Story {
  /** The first comment line, without its `#`. */
  readonly title: string;
  readonly blocks: readonly Block[];
  readonly files: ReadonlyMap<string, string>;
}

const OUTPUT = "----";

export function parseStory(text: string): Story {
  const { comment, files } = parseTxtar(text);
  const blocks = comment
    .split(/\n{2,}/)
    .map((block) => block.split("\n").filter((line) => line !== ""))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const end = lines.indexOf(OUTPUT);
      return end < 0
        ? { lines, output: [] }
        : { lines: lines.slice(0, end), output: lines.slice(end + 1) };
    });
  const title = blocks[0]?.lines[0]?.replace(/^#\s*/, "") ?? "";
  return { title, blocks, files };
}

export function renderStory({ blocks, files }: Story): string {
  const comment = blocks
    .map(({ lines, output }) => [...lines, ...(output.length > 0 ? [OUTPUT, ...output] : [])])
    .map((lines) => lines.map((line) => `${line}\n`).join(""))
    .join("\n");
  return renderTxtar({ comment: `${comment}\n`, files });
}
