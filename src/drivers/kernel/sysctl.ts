// Settings of the kernel below /proc/sys, of this process's network namespace. Paths are relative
// and have slashes, since names of interfaces may contain dots: `net/ipv4/conf/eth0.7/forwarding`.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperationError } from "../../lib/operation-error.ts";

const ROOT = "/proc/sys";
/**
 * Where `net/` is written: a container's own /proc/sys is read-only, so the host's /proc/sys/net is
 * mounted elsewhere. Whichever it is, it shows the network namespace of the process that looks.
 */
const NET = process.env["SLUICE_PROC_SYS_NET"] || `${ROOT}/net`;

/** The value without the line's end; undefined: there is no such setting here. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`${ROOT}/${path}`, "utf8").trim();
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new OperationError({ code, op: "read", target: `${ROOT}/${path}`, cause });
  }
}

/** Throws OperationError: `EACCES` or `EROFS` where this process may not, `ENOENT`. */
export function writeSysctl(path: string, value: string): void {
  const target = path.startsWith("net/") ? join(NET, path.slice("net/".length)) : join(ROOT, path);
  try {
    writeFileSync(target, value);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "write", target, cause });
  }
}

/** Whether an interface may have addresses and routes of IPv6; false without IPv6 at all. */
export function hasIPv6(device: string): boolean {
  if (!existsSync(`${ROOT}/net/ipv6`)) return false;
  return readSysctl(`net/ipv6/conf/${device}/disable_ipv6`) === "0";
}
