// What pictures are drawn on: how wide it is, whether it has colours and which characters. A value,
// so that every renderer is a pure function; who asks the terminal is cli/terminal.ts.

import { styleText } from "node:util";

/** What a piece of text is for, not how it looks. */
export type Tone = "title" | "faint" | "good" | "warning" | "error" | "accent";

export interface Glyphs {
  readonly arrow: string;
  readonly dot: string;
  readonly more: string;
  readonly dash: string;
  /** Cells of a bar filled by 1/n, 2/n ... n/n. */
  readonly blocks: readonly string[];
}

export interface Screen {
  /** Columns of the terminal; undefined: not a terminal, nothing is cut or wrapped. */
  readonly columns: number | undefined;
  /** Lines of one list; the rest is counted instead. Infinity: nothing is cut. */
  readonly linesMax: number;
  readonly glyphs: Glyphs;
  paint(tone: Tone, text: string): string;
}

/** Takes a piece of output; pieces follow each other without anything in between. */
export type Emit = (text: string) => void;

/** Passes pieces on; blank lines (pieces "\n") only between others, and never two. */
export function blankBetween(emit: Emit): Emit {
  let blank = "";
  let begun = false;
  return (text) => {
    if (text === "\n") {
      blank = begun ? "\n" : "";
      return;
    }
    emit(blank + text);
    blank = "";
    begun = true;
  };
}

const UNICODE: Glyphs = {
  arrow: "→",
  dot: "·",
  more: "…",
  dash: "–",
  blocks: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
};

const ASCII: Glyphs = { arrow: "->", dot: "-", more: "...", dash: "-", blocks: ["#"] };

const STYLES = {
  title: "bold",
  faint: "dim",
  good: "green",
  warning: "yellow",
  error: "red",
  accent: "cyan",
} as const satisfies Record<Tone, string>;

export interface ScreenOptions {
  readonly columns: number | undefined;
  readonly linesMax: number;
  readonly unicode: boolean;
  readonly colour: boolean;
}

/** A screen with these properties; without colours `paint` changes nothing. */
export function makeScreen({ columns, linesMax, unicode, colour }: ScreenOptions): Screen {
  return {
    columns,
    linesMax,
    glyphs: unicode ? UNICODE : ASCII,
    // The decision about colours is made; without this Node would ask the environment again.
    paint: (tone, text) =>
      colour && text !== "" ? styleText(STYLES[tone], text, { validateStream: false }) : text,
  };
}

/** Nothing but text: what a file or a pipe gets where the locale knows UTF-8. */
export const PLAIN: Screen = makeScreen({
  columns: undefined,
  linesMax: Infinity,
  unicode: true,
  colour: false,
});
