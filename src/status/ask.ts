// Asks an agent of this host for its status.

import { OperationError } from "../lib/operation-error.ts";
import { API_VERSION } from "../plan/plan.ts";
import type { StatusDocument } from "./document.ts";
import { STATUS_KIND } from "./document.ts";
import { parseListen, renderListen } from "./listen.ts";

const ANSWER_TIMEOUT_MS = 5_000;

/**
 * The status of the agent that listens at `address`, `ADDRESS:PORT`. Throws OperationError:
 * `BadListen`, `NoAgent` where nobody answers, `ForeignAnswer` where somebody else does.
 */
export async function askStatus(address: string): Promise<StatusDocument> {
  const target = renderListen(parseListen(address, {}));
  const op = "GET /v1/status";
  const foreign = (detail: string) =>
    new OperationError({ code: "ForeignAnswer", op, target, detail });
  const response = await fetch(`http://${target}/v1/status`, {
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  }).catch((cause: unknown) => {
    const seconds = ANSWER_TIMEOUT_MS / 1_000;
    if ((cause as Error).name === "TimeoutError") throw foreign(`it is silent for ${seconds} s`);
    throw new OperationError({ code: "NoAgent", op, target, cause });
  });
  const text = await response.text().catch(() => "");
  if (!response.ok) throw foreign(`it answers ${response.status}: ${text.trim()}`);
  const document = parsed(text);
  if (!isStatus(document)) throw foreign("what answers there is no agent of this version");
  return document;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStatus(document: unknown): document is StatusDocument {
  if (typeof document !== "object" || document === null) return false;
  const { apiVersion, kind } = document as Partial<StatusDocument>;
  return apiVersion === API_VERSION && kind === STATUS_KIND;
}
