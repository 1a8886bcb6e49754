// What a controller would write on each policy now, for a cluster whose definition of policies has
// no status to read it from.

import { Agents } from "../apps/controller/agents.ts";
import { readKnownPolicy } from "../apps/controller/known-policies.ts";
import { meaningsOf } from "../apps/controller/meaning.ts";
import { Engine } from "../engine/engine.ts";
import { AGENT_SILENT_MS } from "../reconcile/node-verdicts.ts";
import type { PolicyStatus } from "../reconcile/policy-status.ts";
import { policyStatus } from "../reconcile/policy-status.ts";
import type { LoadedCluster, PlanSettings } from "./load-plan.ts";

export interface Judgement {
  readonly loaded: LoadedCluster;
  /** The same as the agents'. */
  readonly settings: PlanSettings;
  /** Of the reader's clock, by which agents are silent. */
  readonly nowMs: number;
}

/** A status for every raw policy, in their order. Nobody's patience is known: who lags, lags. */
export function judgePolicies(
  policies: readonly Readonly<Record<string, unknown>>[],
  { loaded, settings, nowMs }: Judgement,
): PolicyStatus[] {
  const { cluster, delta, acknowledgements = new Map() } = loaded;
  const { distribution, rows, mapSize } = settings;
  const engine = new Engine({ distribution, scope: undefined });
  engine.step(delta);
  const meaningOf = meaningsOf({ cluster, engine, rows, mapSize });
  const agents = new Agents({ silentMs: AGENT_SILENT_MS, graceMs: 0 });
  for (const [node, said] of acknowledgements) agents.note(node, said, Date.parse(said.renewTime));
  const now = new Date(nowMs).toISOString();
  return policies.map((raw) => {
    const { generation } = readKnownPolicy(raw);
    const { name = "" } = (raw["metadata"] ?? {}) as { readonly name?: string };
    const { own: issues, inForce, listed, wanted, generation: inPlace } = meaningOf(name);
    const lags = agents.lags({ name, generation: inPlace }, wanted, nowMs);
    const needed = wanted.size;
    const facts = { generation, issues, inForce, listed, needed, lags, recent: false };
    return policyStatus(facts, { before: [], now });
  });
}
