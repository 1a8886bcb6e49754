// Settings of the kernel below /proc/sys, of this process's network namespace. Paths are relative
// and have slashes, since names of interfaces may contain dots: `net/ipv4/conf/eth0.7/forwarding`.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { OperationError } from "../../lib/operation-error.ts";

const ROOT = "/proc/sys";

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
  try {
    writeFileSync(`${ROOT}/${path}`, value);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "write", target: `${ROOT}/${path}`, cause });
  }
}

/** Whether an interface may have addresses and routes of IPv6; false without IPv6 at all. */
export function hasIPv6(device: string): boolean {
  if (!existsSync(`${ROOT}/net/ipv6`)) return false;
  return readSysctl(`net/ipv6/conf/${device}/disable_ipv6`) === "0";
}
