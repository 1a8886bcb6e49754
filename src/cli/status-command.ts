// `sluice status` in the table of commands.

import type { Command } from "./command.ts";
import {
  CONTEXT,
  DISTRIBUTION,
  ENDPOINTS,
  KUBECONFIG,
  MAP_SIZE,
  NAMESPACE,
  output,
  ROWS,
  STATUS_ADDRESS,
} from "./shared-options.ts";

export const STATUS_COMMAND: Command = {
  name: "status",
  summary: "what this node's agent does, what was dropped, and what to do",
  description: [
    "Asks the agent on this node: is the kernel as it should be, which policies, gateways and " +
      "egress IPs it has, which packets were dropped and why, what could not be written.",
    "With --kubeconfig or --context, and as kubectl sluice status: what the controller says of a " +
      "cluster's policies, whether one is active, and which nodes' agents are ready, silent or " +
      "missing. Where Cilium's definition of policies leaves no place for that, status judges " +
      "itself: then the settings of a plan are to be those of the agents.",
  ],
  options: [
    STATUS_ADDRESS,
    KUBECONFIG,
    CONTEXT,
    NAMESPACE,
    ENDPOINTS,
    ROWS,
    DISTRIBUTION,
    MAP_SIZE,
    output(["table", "json"]),
  ],
  positionals: [],
  examples: [
    { command: "sluice status", does: "the agent of this node" },
    { command: "sluice status --kubeconfig ~/.kube/config", does: "policies and nodes" },
    {
      command: "sluice status -o json | jq '.counters[] | select(.drop and .packets > 0)'",
      does: "what was dropped, for a program",
    },
  ],
  exits: [
    "0  the node is ready; of a cluster, all is well and nobody is silent",
    "1  not so",
    "2  wrong usage, nobody answers, or Sluice is not installed",
  ],
  load: () => import("./status.ts"),
};
