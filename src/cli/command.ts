// What a command is: data. Parsing, help, did-you-mean and shell completions are all made from one
// table (commands.ts), and a command's code is loaded only when it runs.

import { OperationError } from "../lib/operation-error.ts";
import type { Arguments } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** How a command ends; the process's exit status. */
export const EXIT = {
  ok: 0,
  /** Errors in the input, or a difference. */
  found: 1,
  /** Wrong usage, or input that cannot be read. */
  usage: 2,
  /** A programmer error: EX_SOFTWARE of BSD's sysexits.h. */
  bug: 70,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

export interface Option {
  /** Long name, without dashes. */
  readonly name: string;
  /** One letter, without dash. */
  readonly short?: string;
  readonly summary: string;
  /** What the value is, as help shows it; absent: a switch without a value. */
  readonly value?: string;
  /** `file`: completed by the shell; `count`: a positive integer. */
  readonly kind?: "file" | "count";
  /** All allowed values. */
  readonly values?: readonly string[];
  readonly repeatable?: true;
  readonly required?: true;
  /** Where a value comes from that is not on the command line. */
  readonly env?: string;
  readonly default?: string;
}

export interface Positional {
  readonly name: string;
  readonly optional?: true;
  /** The last one only: as many words as there are. */
  readonly repeatable?: true;
  readonly values?: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

export interface Command {
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly options: readonly Option[];
  readonly positionals: readonly Positional[];
  readonly examples: readonly Example[];
  /** What the exit statuses mean for this command. */
  readonly exits: readonly string[];
  readonly load: () => Promise<{ readonly run: Run }>;
}

export type Run = (args: Arguments, terminal: Terminal) => Exit | Promise<Exit>;

/** Wrong usage: said on standard error, with what to do about it; exit status 2. */
export class UsageError extends Error {
  /** Lines; "": the message says it all; undefined: the command's help. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** An operating failure as a command's user is told of it; whatever else it is stays as it is. */
export function usageErrorOf(error: unknown): unknown {
  if (!(error instanceof OperationError)) return error;
  const { message, remedy } = error;
  return new UsageError(message, `${remedy[0]?.toUpperCase()}${remedy.slice(1)}.`);
}
