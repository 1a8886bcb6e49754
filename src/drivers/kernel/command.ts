// Runs the tools that speak to the kernel for us (ip, tc, nft, conntrack): mechanism only. What
// they print is theirs; what they refuse is an OperationError.

import { spawn } from "node:child_process";
import { OperationError } from "../../lib/operation-error.ts";

/** Characters of a tool's complaint that an error repeats. */
const COMPLAINT_MAX = 400;
/** A tool that does not answer for this long is ended. */
const TIMEOUT_MS = 20_000;

export interface CommandOptions {
  /** What the tool reads on standard input. */
  readonly input?: string;
  /** For errors: what it was tried on; the command's first arguments otherwise. */
  readonly target?: string;
}

/**
 * Runs a tool to its end and gives what it printed. Throws OperationError: `MissingTool` where it
 * is not installed, `ToolFailed` with its complaint, `ToolHung`.
 */
export function runCommand(
  tool: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const target = options.target ?? [tool, ...args.slice(0, 4)].join(" ");
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { stdio: "pipe" });
    // The `timeout` of spawn goes on waiting, and keeps this process, for a tool that never began.
    const timer = setTimeout(() => child.kill(), TIMEOUT_MS);
    const out: Buffer[] = [];
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(0, COMPLAINT_MAX);
    });
    child.on("error", (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const code = cause.code === "ENOENT" ? "MissingTool" : (cause.code ?? "EIO");
      reject(new OperationError({ code, op: tool, target, cause }));
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (status === 0) return resolve(Buffer.concat(out).toString("utf8"));
      const code = signal === null ? "ToolFailed" : "ToolHung";
      const detail = complaint.trim().replaceAll("\n", "; ") || `ended with ${status ?? signal}`;
      reject(new OperationError({ code, op: tool, target, detail }));
    });
    // A tool that ends before it has read everything closes the pipe: its status says why.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
