// Help, made from the table of commands.

import type { Emit, Screen } from "../lib/screen.ts";
import { fill, pad, textWidth, wrap } from "../lib/text.ts";
import { optionsOf } from "./arguments.ts";
import type { Command, Option } from "./command.ts";

/** Prose is easiest to read below this width; a narrower terminal makes it narrower. */
const WIDTH_MAX = 96;

/** What `sluice --help` says. */
export function renderOverview(commands: readonly Command[], screen: Screen, emit: Emit): void {
  emit("Sluice spreads a Kubernetes cluster's outgoing traffic over many egress gateways.\n");
  section("Usage", screen, emit);
  emit("  sluice COMMAND [OPTIONS]\n");
  section("Commands", screen, emit);
  list(
    [...commands, HELP_COMMAND].map(({ name, summary }) => [name, summary] as const),
    screen,
    emit,
  );
  section("Options", screen, emit);
  list([["--help", "shows this help"], ["--version", "shows the version"]], screen, emit);
  const hint = "sluice help COMMAND shows a command's options and examples.";
  emit(`\n${screen.paint("faint", hint)}\n`);
}

const HELP_COMMAND = { name: "help", summary: "a command's options and examples" };

/** What `sluice COMMAND --help` says. */
export function renderHelp(command: Command, screen: Screen, emit: Emit): void {
  const { name, summary, description, options, positionals, examples, exits } = command;
  emit(`${screen.paint("title", `sluice ${name}`)}: ${summary}\n`);
  section("Usage", screen, emit);
  for (const [i, line] of fill(usageOf(command), widthOf(screen) - 4).entries()) {
    emit(`${i === 0 ? "  " : "    "}${line}\n`);
  }
  for (const paragraph of description) {
    emit("\n");
    for (const line of wrap(paragraph, widthOf(screen) - 2)) emit(`  ${line}\n`);
  }
  const fixed = positionals.filter(({ values }) => values !== undefined);
  if (fixed.length > 0) section("Arguments", screen, emit);
  list(fixed.map((one) => [one.name, (one.values ?? []).join(", ")] as const), screen, emit);
  section("Options", screen, emit);
  const flags = optionsOf({ options }).map((one) => [flagsOf(one), noteOf(one)] as const);
  list(flags, screen, emit);
  section("Examples", screen, emit);
  for (const { command: line, does } of examples) {
    emit(`  ${screen.paint("faint", `# ${does}`)}\n  ${screen.paint("accent", line)}\n`);
  }
  section("Exit status", screen, emit);
  for (const exit of exits) emit(`  ${exit}\n`);
}

/** `sluice plan`, `-f PATH...`, `[--node NAME]`, `[--rows needed|all]`. */
function usageOf({ name, options, positionals }: Command): string[] {
  const parts = options.map((option) => {
    const flag = option.short === undefined ? `--${option.name}` : `-${option.short}`;
    const value = option.values?.join("|") ?? option.value;
    const text = value === undefined ? flag : `${flag} ${value}${option.repeatable ? "..." : ""}`;
    return option.required ? text : `[${text}]`;
  });
  const words = positionals.map((one) => {
    const word = `${one.name}${one.repeatable ? "..." : ""}`;
    return one.optional ? `[${word}]` : word;
  });
  return [`sluice ${name}`, ...parts, ...words];
}

function flagsOf({ short, name, value }: Option): string {
  const flag = short === undefined ? `    --${name}` : `-${short}, --${name}`;
  return value === undefined ? flag : `${flag} ${value}`;
}

/** `entries of a policy map (default 262144 or $SLUICE_MAP_SIZE)`. */
function noteOf({ summary, values, repeatable, default: fallback, env }: Option): string {
  const notes: string[] = [];
  if (values !== undefined) notes.push(values.join(", "));
  if (repeatable) notes.push("may be repeated");
  const sources = [fallback, env && `$${env}`].filter((source) => source !== undefined);
  if (sources.length > 0) notes.push(`default ${sources.join(" or ")}`);
  return notes.length === 0 ? summary : `${summary} (${notes.join("; ")})`;
}

function section(title: string, screen: Screen, emit: Emit): void {
  emit(`\n${screen.paint("title", title)}\n`);
}

/** Terms and what they mean, in two columns; the second is wrapped. */
function list(entries: readonly (readonly [string, string])[], screen: Screen, emit: Emit): void {
  const column = Math.max(0, ...entries.map(([term]) => textWidth(term)));
  for (const [term, meaning] of entries) {
    const lines = wrap(meaning, widthOf(screen) - column - 4);
    for (const [i, line] of lines.entries()) {
      emit(`  ${pad(i === 0 ? term : "", column)}  ${line}\n`);
    }
  }
}

function widthOf({ columns }: Screen): number {
  return Math.min(columns ?? WIDTH_MAX, WIDTH_MAX);
}
