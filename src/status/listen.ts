// Addresses to listen on, and to ask: `ADDRESS:PORT`, IPv6 addresses in brackets.

import { OperationError } from "../lib/operation-error.ts";
import { parseAddress } from "../net/address.ts";
import type { Address } from "../net/address.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;

/**
 * Reads `127.0.0.1:9879` or `[::1]:9879`. `loopback`: it must not be seen by other hosts. Throws
 * OperationError (`BadListen`).
 */
export function parseListen(
  text: string,
  { loopback = false }: { readonly loopback?: boolean },
): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const address = parseAddress(host);
  const port = Number(match?.[3] ?? Infinity);
  // In brackets stands IPv6, without them IPv4.
  const right = match?.[1] === undefined ? address?.length === 4 : address?.length === 16;
  if (address === undefined || !right || port > PORT_MAX) {
    throw bad(text);
  }
  if (loopback && !isLoopback(address)) {
    throw bad(text, "the status is for this host only, and this is no loopback address");
  }
  return { host, port };
}

/** `ADDRESS:PORT` in text. */
export function renderListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** 127.0.0.0/8 (RFC 1122, 3.2.1.3) or ::1 (RFC 4291, 2.5.3). */
function isLoopback(address: Address): boolean {
  if (address.length === 4) return address.charCodeAt(0) === 127;
  return address === parseAddress("::1");
}

function bad(target: string, detail?: string): OperationError {
  const failure = { code: "BadListen", op: "listen", target };
  return new OperationError(detail === undefined ? failure : { ...failure, detail });
}
