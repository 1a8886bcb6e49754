// The BPF file system, where maps are pinned: is a directory in one, and does it exist.

import { existsSync, mkdirSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";

/** BPF_FS_MAGIC of linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Throws OperationError unless `directory`, or what is there of its path, is in a bpffs. */
export function checkBpffs(directory: string): void {
  for (let path = directory; ; path = dirname(path)) {
    try {
      if (statfsSync(path).type === BPF_FS_MAGIC) return;
      throw new OperationError({ code: "NoBpffs", op: "statfs", target: directory });
    } catch (error) {
      if (error instanceof OperationError) throw error;
      const { code = "EIO" } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && path !== dirname(path)) continue;
      throw new OperationError({ code, op: "statfs", target: directory, cause: error });
    }
  }
}

/** Pins again what somebody has unpinned meanwhile. Throws what `pin` throws, OperationError. */
export function keepPinned(path: string, pin: (path: string) => void): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  pin(path);
}

/** Makes a directory in a bpffs, with those above it. */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "mkdir", target: directory, cause });
  }
}
