// What an agent publishes of itself, from what it shows of itself.

import { counted } from "../../lib/text.ts";
import { nodeStateOf } from "../../reconcile/node-state.ts";
import { isPodLink } from "../../reconcile/published-state.ts";
import type { AgentView } from "./options.ts";
import type { OwnFacts } from "./publisher.ts";
import { waitingFor } from "./status-of.ts";

/** Undefined: the node's kernel or the objects are not known yet. */
export function ownFacts(node: string, view: AgentView): OwnFacts | undefined {
  const { kernel, policies, admitted } = view;
  const { ready } = view.journal;
  const plan = view.plan?.();
  if (kernel === undefined || plan === undefined) return undefined;
  const pods = view.nodes.find(({ name }) => name === node)?.podCIDRs ?? [];
  const links = kernel.links.filter((link) => !isPodLink(link, pods));
  const capacity = plan.capacity.nodes.find((one) => one.node === node);
  const held = capacity?.heldEndpoints ?? 0;
  const size = plan.capacity.mapSize;
  const full = `MapFull: ${counted(held, "endpoint")} held, maps of ${size} entries are too small`;
  return {
    state: nodeStateOf(node, { ...kernel, links }),
    ready,
    message: ready ? "" : waitingFor(view),
    policies: policies.map(({ name, generation }) => {
      return { name, generation, message: held > 0 ? full : "" };
    }),
    rows: admitted,
  };
}
