// Input that cannot be read at all: no such file, or text that is neither YAML nor JSON. Objects
// that can be read but say something wrong are an `Issue` instead (model/issue.ts).

/** The command cannot go on (exit 2). The message names file, line, problem and remedy. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** A place in the input, for messages. Lines count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** An `InputError` with the message `FILE:LINE: PROBLEM`. */
export function inputErrorAt({ file, line }: Place, problem: string): InputError {
  return new InputError(`${file}:${line}: ${problem}`);
}
