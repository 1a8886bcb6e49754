// How large tests are: short by default, in full with SLUICE_SOAK=1 (`make soak`).

export const SOAK = process.env["SLUICE_SOAK"] === "1";

/** The size of what a test repeats. */
export function sized(usual: number, full: number): number {
  return SOAK ? full : usual;
}
