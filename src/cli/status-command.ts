// `sluice status` in the table of commands.

import type { Command } from "./command.ts";

export const STATUS_COMMAND: Command = {
  name: "status",
  summary: "what this node's agent does, what was dropped, and what to do",
  description: [
    "Asks the agent on this node: is the kernel as it should be, which policies, gateways and " +
      "egress IPs it has, which packets were dropped and why, what could not be written.",
  ],
  options: [
    {
      name: "address",
      value: "ADDRESS:PORT",
      env: "SLUICE_STATUS_ADDRESS",
      default: "127.0.0.1:9879",
      summary: "where the agent answers: its --status-listen",
    },
    {
      name: "output",
      short: "o",
      value: "FORM",
      values: ["table", "json"],
      default: "table",
      summary: "how the answer is written",
    },
  ],
  positionals: [],
  examples: [
    { command: "sluice status", does: "the agent of this node" },
    {
      command: "sluice status -o json | jq '.counters[] | select(.drop and .packets > 0)'",
      does: "what was dropped, for a program",
    },
  ],
  exits: [
    "0  the node is ready",
    "1  it is not",
    "2  wrong usage, or no agent answers",
  ],
  load: () => import("./status.ts"),
};
