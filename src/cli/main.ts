// The command line's front door: finds the command, checks its arguments, runs it and turns every
// ending into an exit status. It loads nothing that the question does not need.

import { printable } from "../lib/text.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { renderHelp, renderOverview } from "./help.ts";
import { suggest } from "./suggest.ts";
import type { Terminal } from "./terminal.ts";
import { openTerminal } from "./terminal.ts";
import { version } from "./version.ts";

const terminal = openTerminal(process.env);
process.exitCode = await runSafely(process.argv.slice(2), terminal);

async function runSafely(words: readonly string[], terminal: Terminal): Promise<Exit> {
  try {
    const exit = await runWords(words, terminal);
    terminal.flush();
    return exit;
  } catch (error) {
    if (error instanceof UsageError) return tellUsage(error, words[0], terminal);
    // The stack of a bug is what a report needs; wrong input never gets here.
    terminal.tell(`${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT.bug;
  }
}

async function runWords([first, ...rest]: readonly string[], terminal: Terminal): Promise<Exit> {
  const { screen, emit } = terminal;
  switch (first) {
    case undefined:
      renderOverview(COMMANDS, terminal.messages, terminal.tell);
      return EXIT.usage;
    case "--version":
      emit(`${version()}\n`);
      return EXIT.ok;
    case "--help":
    case "-h":
      renderOverview(COMMANDS, screen, emit);
      return EXIT.ok;
    case "help":
      if (rest[0] === undefined) renderOverview(COMMANDS, screen, emit);
      else renderHelp(findCommand(rest[0]), screen, emit);
      return EXIT.ok;
    default:
      return runCommand(findCommand(first), rest, terminal);
  }
}

async function runCommand(
  command: Command,
  words: readonly string[],
  terminal: Terminal,
): Promise<Exit> {
  const args = parseArguments(command, words, process.env);
  if (args === "help") {
    renderHelp(command, terminal.screen, terminal.emit);
    return EXIT.ok;
  }
  const { run } = await command.load();
  return run(args, terminal);
}

function findCommand(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command;
  const what = name.startsWith("-") ? "option" : "command";
  const meant = suggest(name, [...COMMANDS.map((one) => one.name), "help", "--help", "--version"]);
  throw new UsageError(
    `unknown ${what} '${name}'${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    "'sluice --help' lists the commands.",
  );
}

function tellUsage(error: UsageError, first: string | undefined, terminal: Terminal): Exit {
  const command = COMMANDS.find((one) => one.name === first);
  const name = command === undefined ? "sluice" : `sluice ${command.name}`;
  const remedy = error.remedy ?? `'${name} --help' shows its options and examples.`;
  terminal.tell(`${terminal.messages.paint("error", name)}: ${printable(error.message)}\n`);
  for (const line of remedy.split("\n")) {
    if (line !== "") terminal.tell(`${printable(line)}\n`);
  }
  return EXIT.usage;
}
