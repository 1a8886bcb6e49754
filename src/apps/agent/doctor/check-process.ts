// Checks of what the process itself needs: a kernel that is new enough, capabilities, tools in
// PATH, libbpf, the compiled programs.

import { accessSync, closeSync, constants, openSync, readSync } from "node:fs";
import { delimiter, join } from "node:path";
import { libbpf } from "../../../drivers/kernel/libbpf.ts";
import { OperationError } from "../../../lib/operation-error.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";

/**
 * Batch operations on LPM tries came with 5.13; CAP_BPF (5.8) and accounting of map memory to the
 * cgroup (5.11) before that.
 */
const KERNEL_MIN = [5, 13] as const;

/** `release`: as `uname -r` says it. */
export function checkKernel(release: string): Finding {
  const check = "kernel";
  const [major, minor] = (/^(\d+)\.(\d+)/.exec(release) ?? []).slice(1).map(Number);
  const wanted = KERNEL_MIN.join(".");
  if (major === undefined || minor === undefined) {
    const message = `cannot tell how old Linux ${release} is; ${wanted} or newer is needed`;
    return bad("warning", { check, message, remedy: "see the checks of features" });
  }
  const [leastMajor, leastMinor] = KERNEL_MIN;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) {
    return ok(check, `Linux ${release}, ${wanted} or newer is needed`);
  }
  const message = `Linux ${release} is too old: it cannot write policy maps in batches`;
  return bad("error", { check, message, remedy: `boot a kernel of ${wanted} or newer` });
}

/** Bits of linux/capability.h. */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_BPF: 39 } as const;

/** `status`: the text of /proc/self/status. CAP_SYS_ADMIN includes what CAP_BPF permits. */
export function checkCapabilities(status: string): Finding {
  const check = "capabilities";
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const has = (name: keyof typeof CAPABILITIES) =>
    ((effective >> BigInt(CAPABILITIES[name])) & 1n) === 1n;
  const bpf = has("CAP_SYS_ADMIN") ? "CAP_SYS_ADMIN" : "CAP_BPF";
  const wanted = ["CAP_NET_ADMIN", bpf] as const;
  const missing = wanted.filter((name) => !has(name)).join(" and ");
  if (missing === "") return ok(check, `${wanted.join(" and ")} are there`);
  const remedy = `run it as root; in a container, add ${missing} to the capabilities`;
  return bad("error", { check, message: `this process lacks ${missing}`, remedy });
}

/** A program that the agent runs -> Debian's package that has it. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  bridge: "iproute2",
  tc: "iproute2",
  nft: "nftables",
  conntrack: "conntrack",
};

/** `path`: the environment's PATH. */
export function checkTools(path: string): Finding[] {
  const missing = Object.keys(TOOLS).filter((tool) => !isInPath(tool, path));
  const check = "tools";
  if (missing.length === 0) return [ok(check, `${Object.keys(TOOLS).join(", ")} are in PATH`)];
  return missing.map((tool) => {
    const message = `${tool} is not in PATH (${path})`;
    return bad("error", { check, message, remedy: `install it; on Debian: ${TOOLS[tool]}` });
  });
}

/** True if PATH has an executable of this name. */
export function isInPath(tool: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}

/** Loads the library. */
export function checkLibbpf(): Finding {
  const check = "libbpf";
  try {
    libbpf();
    return ok(check, "libbpf.so.1 can be loaded");
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return bad("error", { check, message: error.message, remedy: error.remedy });
  }
}

/** ELF's magic number, and its machine BPF (EM_BPF of linux/elf-em.h) at 18. */
const ELF_MAGIC = 0x7f454c46;
const EM_BPF = 247;
const ELF_HEAD_BYTES = 20;

/** `path`: of the compiled programs. */
export function checkObject(path: string): Finding {
  const check = "programs";
  const remedy = "build them: make build; it needs clang and libbpf-dev";
  const head = Buffer.alloc(ELF_HEAD_BYTES);
  try {
    const fd = openSync(path, "r");
    readSync(fd, head);
    closeSync(fd);
  } catch (error) {
    const { code = "EIO" } = error as NodeJS.ErrnoException;
    const message = `the compiled programs cannot be read: ${path} (${code})`;
    return bad("error", { check, message, remedy });
  }
  if (head.readUInt32BE(0) === ELF_MAGIC && head.readUInt16LE(18) === EM_BPF) {
    return ok(check, `the compiled programs are there: ${path}`);
  }
  return bad("error", { check, message: `${path} has no compiled BPF programs`, remedy });
}
