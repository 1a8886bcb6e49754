// The completion script for fish.

import { optionsOf } from "../arguments.ts";
import type { Command, Option } from "../command.ts";

/** A script of `complete` commands, one per command, option and list of values. */
export function fishCompletion(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const lines = [
    "# fish completion for sluice; load it with: sluice completion fish | source",
    "complete -c sluice -f",
    "complete -c sluice -n __fish_use_subcommand -l help -s h -d 'shows the commands'",
    "complete -c sluice -n __fish_use_subcommand -l version -d 'shows the version'",
    ...commands.map(({ name, summary }) => subcommand(name, summary)),
    subcommand("help", "a command's options and examples"),
    `complete -c sluice -n '__fish_seen_subcommand_from help' -a '${names}'`,
    ...commands.flatMap(commandLines),
  ];
  return `${lines.join("\n")}\n`;
}

function subcommand(name: string, summary: string): string {
  return `complete -c sluice -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`;
}

function commandLines(command: Command): string[] {
  const start = `complete -c sluice -n '__fish_seen_subcommand_from ${command.name}'`;
  const values = command.positionals.flatMap((one) => one.values ?? []);
  const lines = optionsOf(command).map((option) => `${start} ${optionWords(option)}`);
  return values.length === 0 ? lines : [...lines, `${start} -a '${values.join(" ")}'`];
}

function optionWords(option: Option): string {
  const { name, short, value, kind, values, summary } = option;
  const words = [`-l ${name}`];
  if (short !== undefined) words.push(`-s ${short}`);
  if (kind === "file") words.push("-r -F");
  else if (value !== undefined) words.push("-x");
  if (values !== undefined) words.push(`-a '${values.join(" ")}'`);
  return [...words, `-d ${quote(summary)}`].join(" ");
}

/** Inside single quotes fish knows two escapes: of the quote and of the backslash. */
function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
