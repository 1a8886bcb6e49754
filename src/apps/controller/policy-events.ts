// What is worth an Event: what people should see with `kubectl describe`, said for them.

import type { Issue } from "../../model/issue.ts";
import type { PolicyStatus, StatusCondition } from "../../reconcile/policy-status.ts";
import type { PolicyEvent } from "../../sinks/kubernetes/events.ts";

export interface EventFacts {
  readonly issues: readonly Issue[];
  readonly status: PolicyStatus;
  /** Conditions until now. */
  readonly before: readonly StatusCondition[];
}

/** Reasons of `Programmed` whose message says which nodes and how many. */
const PROGRAMMED: Readonly<Record<string, string>> = {
  Programmed: "every node that needs it holds it",
  NodesLag: "some nodes do not hold it; its condition Programmed says which",
};

/** The events of a moment; who writes them takes care that none is told twice in a row. */
export function eventsOf(
  policy: PolicyEvent["policy"],
  { issues, status, before }: EventFacts,
): PolicyEvent[] {
  const events: PolicyEvent[] = issues.map(({ code, path, message }) => {
    return { policy, type: "Warning", reason: code, message: `${placeOf(path)}${message}` };
  });
  const now = status.conditions.find(({ type }) => type === "Programmed");
  const old = before.find(({ type }) => type === "Programmed");
  // What is on its way is no news.
  if (now === undefined || now.reason === "Pending") return events;
  if (now.status !== old?.status || now.reason !== old.reason) {
    const { reason } = now;
    // Numbers and names change all the time, and each would be an Event of its own.
    const message = `generation ${now.observedGeneration}: ${PROGRAMMED[reason] ?? now.message}`;
    const type = now.status === "True" ? "Normal" : "Warning";
    events.push({ policy, type, reason, message });
  }
  return events;
}

function placeOf(path: string): string {
  return path === "" || path === "spec" ? "" : `${path}: `;
}
