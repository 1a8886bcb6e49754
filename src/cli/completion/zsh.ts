// The completion script for zsh: sourced after compinit, or a file `_sluice` in fpath.

import { optionsOf } from "../arguments.ts";
import type { Command, Option, Positional } from "../command.ts";

/** A script that defines the completion function `_sluice` by zsh's own `_arguments`. */
export function zshCompletion(commands: readonly Command[]): string {
  const names = [...commands, { name: "help", summary: "a command's options and examples" }];
  return `#compdef sluice
# zsh completion for sluice; load it with: source <(sluice completion zsh)
_sluice() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C \\
    '(- *)--help[shows the commands]' \\
    '(- *)--version[shows the version]' \\
    '1: :->command' \\
    '*:: :->words'
  case $state in
    command)
      local -a commands=(
${names.map(({ name, summary }) => `        ${quote(`${name}:${summary}`)}`).join("\n")}
      )
      _describe command commands
      ;;
    words)
      case $line[1] in
${commands.map(commandCase).join("\n")}
        help) _arguments ${quote(`1:command:(${commands.map(({ name }) => name).join(" ")})`)} ;;
      esac
      ;;
  esac
}
# Loaded from fpath, this file is the function's first call; sourced, it registers the function.
if [[ $funcstack[1] == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`;
}

function commandCase(command: Command): string {
  const specs = [
    ...optionsOf(command).map(optionSpec),
    ...command.positionals.map((one, i) => positionalSpec(one, i + 1)),
  ];
  const lines = specs.map((spec) => `            ${spec}`).join(" \\\n");
  return `        ${command.name})\n          _arguments -s \\\n${lines}\n          ;;`;
}

/** `'(-o --output)'{-o,--output}'[summary]:FORM:(table json)'`, as zshcompsys(1) has it. */
function optionSpec(option: Option): string {
  const flags = [`--${option.name}`];
  if (option.short !== undefined) flags.unshift(`-${option.short}`);
  const note = `[${option.summary.replaceAll(/[[\]\\]/g, "\\$&")}]${valueSpec(option)}`;
  const repeat = option.repeatable ? "'*'" : quote(`(${flags.join(" ")})`);
  const names = flags.length === 1 ? (flags[0] as string) : `{${flags.join(",")}}`;
  return `${repeat}${names}${quote(note)}`;
}

function valueSpec({ value, kind, values }: Option): string {
  if (value === undefined) return "";
  const action = kind === "file" ? "_files" : values === undefined ? " " : `(${values.join(" ")})`;
  return `:${value}:${action}`;
}

function positionalSpec({ name, optional, values }: Positional, place: number): string {
  const action = values === undefined ? " " : `(${values.join(" ")})`;
  return quote(`${place}:${optional ? ":" : ""}${name}:${action}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
