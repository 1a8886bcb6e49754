// Words and numbers as people read them: plurals, thousands, percentages, wrapped lines. Everything
// counts columns, not code units, and ignores colour codes.

const COLOUR_CODES = /\x1b\[[0-9;]*m/g;
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The number of terminal columns that `text` fills: one per code point, colour codes none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const _ of text.includes("\x1b") ? text.replace(COLOUR_CODES, "") : text) width++;
  return width;
}

/**
 * `text` from somebody's file, safe to show on a terminal: control characters and those that turn
 * the writing direction become visible escapes, so that no object can repaint the screen.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.codePointAt(0) as number;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Fills up to `width` columns with spaces, on the right or on the left. */
export function pad(text: string, width: number, side: "left" | "right" = "right"): string {
  const spaces = " ".repeat(Math.max(0, width - textWidth(text)));
  return side === "right" ? text + spaces : spaces + text;
}

/** Lines of at most `width` columns, broken at spaces; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  return fill(text.split(" "), width);
}

/** The words in lines of at most `width` columns; a word may hold spaces, which do not break. */
export function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** 1234567 is `1,234,567`. Integers only. */
export function thousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 endpoint`, `1,200 gateways`, `0 policies`. */
export function counted(value: number, noun: string): string {
  const plural = /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${thousands(value)} ${value === 1 ? noun : plural}`;
}

/**
 * `part` of `whole` as a percentage that never rounds something to nothing or a rest away:
 * `<0.1%`, `4.2%`, `33%`, `>99%`, `100%`, `130%`.
 */
export function percent(part: number, whole: number): string {
  if (part === 0 || whole === 0) return "0%";
  const value = (part / whole) * 100;
  if (value < 0.1) return "<0.1%";
  if (value < 9.95) return `${value.toFixed(1)}%`;
  if (value > 99 && value < 100) return ">99%";
  if (value > 100 && value < 101) return ">100%";
  return `${Math.round(value)}%`;
}
