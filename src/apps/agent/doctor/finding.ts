// What a check of a node found: one shape for people, for programs and for the agent's own start.

/** `error`: the agent cannot run here as things are; `warning`: it can, but read this. */
export type Level = "ok" | "warning" | "error";

export interface Finding {
  /** The name of the check, as in `bpffs`. */
  readonly check: string;
  readonly level: Level;
  /** What was found: a sentence without full stop. */
  readonly message: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly remedy: string;
}

/** Nothing is to be done. */
export function ok(check: string, message: string): Finding {
  return { check, level: "ok", message, remedy: "" };
}

/** Something that deserves attention, or makes an agent impossible. */
export function bad(
  level: "warning" | "error",
  finding: { readonly check: string; readonly message: string; readonly remedy: string },
): Finding {
  return { level, ...finding };
}
