// A bar whose length is the number: drawn from zero, in eighths of a cell where there are such
// characters, and never longer or shorter than the value to that precision.

import type { Screen } from "./screen.ts";

/**
 * A bar of at most `cells` cells for `part` of `whole`, padded to `cells` columns. Something is
 * never drawn as nothing, less than the whole never as the whole, more than the whole as full.
 */
export function bar(part: number, whole: number, cells: number, screen: Screen): string {
  const { blocks } = screen.glyphs;
  const steps = cells * blocks.length;
  const filled = whole === 0 ? 0 : barSteps(part / whole, steps);
  const full = (blocks[blocks.length - 1] as string).repeat(Math.floor(filled / blocks.length));
  const rest = filled % blocks.length;
  const text = full + (rest === 0 ? "" : (blocks[rest - 1] as string));
  return text + " ".repeat(cells - text.length);
}

function barSteps(fraction: number, steps: number): number {
  if (fraction <= 0) return 0;
  if (fraction >= 1) return steps;
  return Math.min(steps - 1, Math.max(1, Math.round(fraction * steps)));
}
