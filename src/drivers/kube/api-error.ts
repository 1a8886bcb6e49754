// Refusals of the Kubernetes API, and failures to reach it, as operation errors.

import { OperationError } from "../../lib/operation-error.ts";

export interface Asked {
  /** `list`, `watch`, `patch`. */
  readonly op: string;
  /** As in `pods`, `nodes/worker-1`. */
  readonly target: string;
}

/** What matters of `meta/v1 Status`. */
interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

const BY_STATUS: Readonly<Record<number, string>> = {
  400: "Invalid",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
};

const MESSAGE_CHARACTERS_MAX = 2_000;

/** The answer of status `code` with this body as an error. */
export function refusal(asked: Asked, code: number, body: string): OperationError {
  return statusError(asked, { code, ...parseStatus(body) });
}

/** A `Status` object as an error, as a watch sends them too. */
export function statusError(asked: Asked, { code = 0, reason, message }: Status): OperationError {
  const named = reason === "AlreadyExists" ? reason : (BY_STATUS[code] ?? "ApiFailed");
  const detail = message ?? (code > 0 ? `HTTP status ${code}` : "it says no reason");
  return new OperationError({ code: named, ...asked, detail });
}

function parseStatus(body: string): Status {
  const plain = { message: body.trim().slice(0, MESSAGE_CHARACTERS_MAX) || "an empty answer" };
  try {
    const status = JSON.parse(body) as Status & { readonly kind?: string };
    if (status.kind !== "Status") return plain;
    const { code, reason, message } = status;
    return {
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? plain : { message }),
    };
  } catch {
    return plain;
  }
}

/** Where TLS itself is what failed; OpenSSL's and Node's names. */
const UNTRUSTED = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_CERT)/;

/** Whatever a socket, TLS or HTTP threw, as an error; an operation error stays itself. */
export function unreachable(asked: Asked, error: unknown): OperationError {
  if (error instanceof OperationError) return error;
  const { code = "", message, cause } = error as NodeJS.ErrnoException & { cause?: unknown };
  const deeper = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  const untrusted = UNTRUSTED.test(code) || UNTRUSTED.test(deeper);
  const reason = message || code || "no reason given";
  return new OperationError({
    code: untrusted ? "ApiUntrusted" : "ApiUnreachable",
    ...asked,
    detail: untrusted ? `its certificate is not trusted: ${reason}` : reason,
    cause: error,
  });
}
