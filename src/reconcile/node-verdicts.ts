// Which nodes hold what they should of a policy, and why others do not. Whether a node has been
// silent for too long, and whether it may still be on its way, are facts that the caller brings.

import { counted } from "../lib/text.ts";
import type { Acknowledgement } from "../model/acknowledgement.ts";
import type { RowSum } from "../model/row-sum.ts";
import { sameRows } from "../model/row-sum.ts";

/** Agents renew every minute: three are missed before one is called silent. */
export const AGENT_SILENT_MS = 180_000;

/** Why a node does not hold the current state. */
export type LagReason = "Unknown" | "Silent" | "OldGeneration" | "OtherRows";

export interface Lag {
  readonly node: string;
  readonly reason: LagReason;
  /** For people, after the node's name. */
  readonly message: string;
}

/** What is known of a node's agent. */
export interface AgentFacts {
  readonly acknowledgement: Acknowledgement;
  /** It has not renewed for too long. */
  readonly silent: boolean;
}

/** Why a node does not hold `wanted` of a policy in this generation; undefined: it does. */
export function findLag(
  node: string,
  agent: AgentFacts | undefined,
  policy: { readonly name: string; readonly generation: number; readonly wanted: RowSum },
): Lag | undefined {
  const lag = (reason: LagReason, message: string) => ({ node, reason, message });
  if (agent === undefined) return lag("Unknown", "no agent has said anything");
  if (agent.silent) return lag("Silent", "its agent has been silent for minutes");
  const { policies, message: nodeMessage } = agent.acknowledgement;
  const held = policies.get(policy.name);
  if (held === undefined || held.generation !== policy.generation) {
    const { generation } = policy;
    const old = held && `it has generation ${held.generation}, not ${generation}`;
    const why = nodeMessage === "" ? "" : `: ${nodeMessage}`;
    return lag("OldGeneration", `${old ?? "it does not have the policy yet"}${why}`);
  }
  if (sameRows(held, policy.wanted)) return undefined;
  const counts = `it holds ${counted(held.rows, "row")}, should hold ${policy.wanted.rows}`;
  const other = held.rows === policy.wanted.rows ? "it holds other rows" : counts;
  return lag("OtherRows", held.message || nodeMessage || other);
}
