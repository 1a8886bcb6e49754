// Command lines: from words to checked values, by a command's table. Values that are not on the
// command line come from the environment, then from the default.

import { parseArgs } from "node:util";
import { assert } from "../lib/assert.ts";
import type { Command, Option } from "./command.ts";
import { UsageError } from "./command.ts";
import { suggest } from "./suggest.ts";

const HELP: Option = { name: "help", short: "h", summary: "shows this help" };

/** A command's options and the one that every command has. */
export function optionsOf(command: Pick<Command, "options">): readonly Option[] {
  return [...command.options, HELP];
}

/** The checked values of a command line. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>, positionals: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
  }

  /** True if the switch is there. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Every value of a repeatable option, in order. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The value, the last one if given more than once. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** The value of a `count` option that has a default. */
  count(name: string): number {
    return Number(this.text(name));
  }

  /** The value of an option that has a default and these `values`. */
  choice<T extends string>(name: string, values: readonly T[]): T {
    const found = values.find((value) => value === this.text(name));
    assert(found !== undefined, `option ${name} was checked against its values`);
    return found;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `help`: help was asked for. Throws UsageError for everything that is wrong. */
export function parseArguments(
  command: Command,
  words: readonly string[],
  environment: Environment,
): Arguments | "help" {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(optionsOf(command).map((option) => [option.name, spec(option)])),
    strict: false,
    tokens: true,
  });
  if (tokens.some((token) => token.kind === "option" && token.name === HELP.name)) return "help";
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = known(command, token.name, token.rawName);
    const value = valueOf(option, token);
    given.set(option.name, [...(given.get(option.name) ?? []), value]);
  }
  const values = new Map<string, string[]>();
  for (const option of command.options) {
    const found = given.get(option.name) ?? fallback(option, environment);
    if (found !== undefined) values.set(option.name, found);
    else if (option.required) throw missing(command, option);
  }
  checkPositionals(command, positionals);
  return new Arguments(values, positionals);
}

function spec({ short, value }: Option) {
  const type = value === undefined ? ("boolean" as const) : ("string" as const);
  return short === undefined ? { type } : { type, short };
}

function known(command: Command, name: string, rawName: string): Option {
  const option = command.options.find((one) => one.name === name);
  if (option !== undefined) return option;
  const names = optionsOf(command).map((one) => one.name);
  const meant = rawName.startsWith("--") ? suggest(name, names) : undefined;
  throw new UsageError(
    `unknown option ${rawName}${meant === undefined ? "" : `; did you mean --${meant}?`}`,
  );
}

interface ValueToken {
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
  readonly rawName: string;
}

/** The value as written; a switch has the value "". */
function valueOf(option: Option, { value, inlineValue, rawName }: ValueToken): string {
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return "";
  }
  // In `--node --rows all` the value was forgotten; a value that begins so is written with `=`.
  const forgotten = value === undefined || (!inlineValue && value.length > 1 && value[0] === "-");
  if (forgotten || value === "") throw new UsageError(`${rawName} needs a value: ${option.value}`);
  checkValue(option, value, rawName);
  return value;
}

function checkValue(option: Option, value: string, origin: string): void {
  const { values, kind } = option;
  if (values !== undefined && !values.includes(value)) {
    const meant = suggest(value, values);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    const all = `It is one of ${values.join(", ")}.`;
    throw new UsageError(`${origin}: unknown value '${value}'${hint}`, all);
  }
  if (kind === "count" && !/^[1-9][0-9]{0,8}$/.test(value)) {
    throw new UsageError(`${origin} needs a whole number from 1 to 999999999, not '${value}'`);
  }
}

function fallback(option: Option, environment: Environment): string[] | undefined {
  const set = option.env === undefined ? undefined : environment[option.env];
  if (set !== undefined && set !== "") {
    checkValue(option, set, `the environment variable ${option.env}`);
    return [set];
  }
  return option.default === undefined ? undefined : [option.default];
}

function missing(command: Command, option: Option): UsageError {
  const name = option.short === undefined ? `--${option.name}` : `-${option.short}`;
  const example = command.examples[0]?.command;
  const remedy = example === undefined ? undefined : `For example: ${example}`;
  return new UsageError(`${name} ${option.value} is required`, remedy);
}

function checkPositionals({ positionals, options }: Command, words: readonly string[]): void {
  const required = positionals.filter((one) => !one.optional);
  const absent = required[words.length];
  if (absent !== undefined) throw new UsageError(`${absent.name} is required`);
  const extra = words[positionals.length];
  if (extra !== undefined && !positionals.at(-1)?.repeatable) {
    const file = options.find(({ kind, short }) => kind === "file" && short !== undefined);
    const hint = file === undefined ? undefined : `Name files and directories with -${file.short}.`;
    throw new UsageError(`unexpected argument '${extra}'`, hint);
  }
  for (const [i, { name, values }] of positionals.entries()) {
    const word = words[i];
    if (word !== undefined && values !== undefined) {
      checkValue({ name, summary: "", values }, word, name);
    }
  }
}
