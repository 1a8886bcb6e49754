// Programmer errors: an assertion that fails ends the process. Wrong input is never one; it is an
// `Issue` (model/issue.ts).

/** Throws when `condition` is false: an invariant of our own code is broken. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Ends every `switch` over a tag: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable value ${JSON.stringify(value)}`);
}

/** The value, which our own bookkeeping says is there. */
export function present<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, `${what} is missing`);
  return value;
}
