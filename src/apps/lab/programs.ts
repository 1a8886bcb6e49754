// The programs that run inside a lab's namespaces: the agents, the server, the clients. They are
// processes of their own, started with this very Node from this very build.

import { fileURLToPath } from "node:url";

/** `.ts` where the sources run directly, `.js` where they are compiled. */
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";

function fileAt(path: string): string {
  return fileURLToPath(new URL(`${path}.${EXTENSION}`, import.meta.url));
}

/** The command that runs one of the stand-alone programs beside this file. */
export function programCommand(
  name: "echo-server" | "probe" | "flows" | "ask" | "relay",
  args: readonly string[],
): string[] {
  return [process.execPath, fileAt(`./server/${name}`), ...args];
}

/** The command `sluice WORDS`. */
export function sluiceCommand(words: readonly string[]): string[] {
  return [process.execPath, ...process.execArgv, fileAt("../../cli/main"), ...words];
}
