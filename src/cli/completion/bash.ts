// The completion script for bash 3.2 and newer.

import { optionsOf } from "../arguments.ts";
import type { Command, Option } from "../command.ts";

/** A script that defines and registers the completion function `_sluice`. */
export function bashCompletion(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name);
  return `# bash completion for sluice; load it with: source <(sluice completion bash)
_sluice() {
  local current=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD-1]}
  local command="" word words=""
  # bash splits --option=value at the equals sign.
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $option == "=" ]]; then
    option=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word != -* ]]; then
      command=$word
      break
    fi
  done
  COMPREPLY=()
  case "$command:$option" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$command" in
    "") words="${[...names, "help", "--help", "--version"].join(" ")}" ;;
    help) words="${names.join(" ")}" ;;
${commands.map(wordsCase).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sluice sluice
`;
}

/** What follows the options that take a value. */
function valueCases({ name, options }: Command): string[] {
  return options
    .filter(({ value }) => value !== undefined)
    .map((option) => {
      const patterns = [`${name}:--${option.name}`];
      if (option.short !== undefined) patterns.push(`${name}:-${option.short}`);
      return `    ${patterns.join(" | ")})\n      ${valueReply(option)}\n      return ;;`;
    });
}

function valueReply({ kind, values }: Option): string {
  // An empty reply with this setting lets bash complete file names itself, with its own quoting.
  if (kind === "file") return "compopt -o default 2>/dev/null";
  if (values === undefined) return ":";
  return `COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$current"))`;
}

function wordsCase(command: Command): string {
  const values = command.positionals.flatMap((one) => one.values ?? []);
  const options = optionsOf(command).map(({ name }) => `--${name}`);
  return `    ${command.name}) words="${[...values, ...options].join(" ")}" ;;`;
}
