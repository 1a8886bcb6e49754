// Many ip(8) commands in one process.

import type { Family } from "../../net/address.ts";
import { runCommand } from "./command.ts";

/** For ip(8): the family of what it reads or writes. */
export const FAMILY_FLAG: Readonly<Record<Family, string>> = { IPv4: "-4", IPv6: "-6" };

/**
 * Carries out the lines, each an ip(8) command without `ip`, in order. A refused line does not keep
 * the others from being tried; then OperationError, with the first complaints.
 */
export async function runIpBatch(family: Family, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const args = [FAMILY_FLAG[family], "-force", "-batch", "-"];
  const input = lines.map((line) => `${line}\n`).join("");
  await runCommand("ip", args, { input, target: `${family} rules and routes` });
}

/** Runs `ip -json` for one family and gives what it printed; numbers are not named. */
export async function readIp<T>(family: Family, args: readonly string[]): Promise<readonly T[]> {
  const text = await runCommand("ip", [FAMILY_FLAG[family], "-json", "-N", ...args]);
  // An empty list is printed as nothing by some commands.
  return text.trim() === "" ? [] : (JSON.parse(text) as T[]);
}
