// `sluice completion`: a script that teaches a shell the table of commands.

import { present, unreachable } from "../lib/assert.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { bashCompletion } from "./completion/bash.ts";
import { fishCompletion } from "./completion/fish.ts";
import { zshCompletion } from "./completion/zsh.ts";
import type { Terminal } from "./terminal.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** Writes the script for the shell named. */
export function run(args: Arguments, { emit }: Terminal): Exit {
  const shell = present(SHELLS.find((one) => one === args.positionals[0]), "a checked SHELL");
  emit(scriptFor(shell));
  return EXIT.ok;
}

function scriptFor(shell: (typeof SHELLS)[number]): string {
  switch (shell) {
    case "bash":
      return bashCompletion(COMMANDS);
    case "zsh":
      return zshCompletion(COMMANDS);
    case "fish":
      return fishCompletion(COMMANDS);
    default:
      return unreachable(shell);
  }
}
