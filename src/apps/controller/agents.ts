// What the nodes' agents acknowledge, and the two judgements about it that need a clock: who has
// been silent for too long, and who may still be on its way. Only this process's own clock counts.

import type { Acknowledgement } from "../../model/acknowledgement.ts";
import type { RowSum } from "../../model/row-sum.ts";
import type { AgentFacts, Lag } from "../../reconcile/node-verdicts.ts";
import { findLag } from "../../reconcile/node-verdicts.ts";

export interface Patience {
  /** An agent that has not renewed for so long is silent. */
  readonly silentMs: number;
  /** A node that held a policy may take so long to follow its pods before it is said to lag. */
  readonly graceMs: number;
}

interface Heard {
  readonly acknowledgement: Acknowledgement;
  readonly atMs: number;
}

export class Agents {
  readonly #patience: Patience;
  readonly #heard = new Map<string, Heard>();
  /** `policy node` -> since when it holds other rows, though it once held this generation. */
  readonly #behind = new Map<string, { readonly generation: number; sinceMs: number }>();

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** `nowMs` of a clock that never goes back. */
  note(node: string, acknowledgement: Acknowledgement | undefined, nowMs: number): void {
    if (acknowledgement === undefined) this.#heard.delete(node);
    else if (this.#heard.get(node)?.acknowledgement.renewTime !== acknowledgement.renewTime) {
      this.#heard.set(node, { acknowledgement, atMs: nowMs });
    }
  }

  /** Nodes that do not hold what they should, sorted as `wanted` is. */
  lags(
    policy: { readonly name: string; readonly generation: number },
    wanted: ReadonlyMap<string, RowSum>,
    nowMs: number,
  ): Lag[] {
    const lags: Lag[] = [];
    for (const [node, sum] of wanted) {
      const lag = findLag(node, this.#factsOf(node, nowMs), { ...policy, wanted: sum });
      if (!this.#mayFollow(`${policy.name} ${node}`, policy.generation, lag, nowMs)) {
        if (lag !== undefined) lags.push(lag);
      }
    }
    return lags;
  }

  #factsOf(node: string, nowMs: number): AgentFacts | undefined {
    const heard = this.#heard.get(node);
    if (heard === undefined) return undefined;
    const silent = nowMs - heard.atMs > this.#patience.silentMs;
    return { acknowledgement: heard.acknowledgement, silent };
  }

  /** True if the node held this generation and has only just other rows. */
  #mayFollow(key: string, generation: number, lag: Lag | undefined, nowMs: number): boolean {
    if (lag === undefined) {
      this.#behind.set(key, { generation, sinceMs: Infinity });
      return false;
    }
    const before = this.#behind.get(key);
    if (lag.reason !== "OtherRows" || before?.generation !== generation) {
      this.#behind.delete(key);
      return false;
    }
    before.sinceMs = Math.min(before.sinceMs, nowMs);
    return nowMs - before.sinceMs < this.#patience.graceMs;
  }
}
