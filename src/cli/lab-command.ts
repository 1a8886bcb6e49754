// What `sluice lab` offers, as data.

import type { Command } from "./command.ts";
import { output } from "./shared-options.ts";

/** The entry of the table of commands. */
export const LAB_COMMAND: Command = {
  name: "lab",
  summary: "a whole cluster on this machine, in network namespaces",
  description: [
    "up: makes nodes, gateways, pods and a server outside, each in a network namespace; wires " +
      "the pods with the reference CNI plugins and runs one agent per node. down: takes all of " +
      "it away.",
    "policy apply FILE, policy delete NAME; pod add [NAME [NODE]], pod delete POD; label NODE " +
      "KEY=VALUE or KEY-: changes the cluster, as kubectl would. agent stop NODE, agent start " +
      "NODE: what the kernel has goes on without it.",
    "check: every pod sends TCP, UDP and ICMP to the server, and a table compares the addresses " +
      "that the server saw with the plan. A sniffer outside watches for any other address.",
    "traffic: long-lived flows with checked bytes, to change things under. exec POD COMMAND " +
      "or NODE COMMAND: runs a command in the network of a pod or a node; on a node `sluice " +
      "status`, `sluice map list` and `sluice doctor` find what is this node's. status: what " +
      "there is, and with which options `sluice explain` sees it.",
    "It needs root. Of the host it touches nothing but named network namespaces and " +
      "/run/sluice-lab, where cluster/ holds the objects that the agents watch.",
  ],
  options: [
    {
      name: "name",
      value: "NAME",
      env: "SLUICE_LAB",
      default: "default",
      summary: "which lab; several can stand side by side",
    },
    { name: "workers", value: "N", kind: "count", default: "2", summary: "up: nodes for pods" },
    { name: "gateways", value: "N", kind: "count", default: "3", summary: "up: gateway nodes" },
    {
      name: "pods",
      value: "N",
      kind: "count",
      default: "6",
      summary: "up: pods, the last one on a gateway",
    },
    { name: "ipv6", summary: "up: IPv6 beside IPv4" },
    {
      name: "cni",
      value: "PLUGIN",
      values: ["ptp", "bridge"],
      default: "ptp",
      summary: "up: how pods are wired",
    },
    { name: "second-nic", summary: "up: gateways have a second device to the outside, out1" },
    { name: "no-agents", summary: "up: start no agents; pods leave as the CNI lets them" },
    {
      name: "api",
      value: "KUBECONFIG",
      kind: "file",
      summary: "up: keep the objects in this API server; the agents watch it, each with its token",
    },
    { name: "once", summary: "check: probe once, without waiting for the agents to catch up" },
    {
      name: "seconds",
      value: "N",
      kind: "count",
      default: "20",
      summary: "traffic: how long",
    },
    {
      name: "flows",
      value: "N",
      kind: "count",
      default: "4",
      summary: "traffic: connections of each protocol, family and pod",
    },
    {
      ...output(["table", "json"]),
      summary: "check, traffic, status: how the answer is written",
    },
  ],
  positionals: [
    {
      name: "ACTION",
      values: [
        ...["up", "down", "status", "policy", "pod", "label", "agent"],
        ...["check", "traffic", "exec"],
      ],
    },
    { name: "WORD", optional: true, repeatable: true },
  ],
  examples: [
    { command: "sudo sluice lab up --ipv6", does: "2 workers, 3 gateways, 6 pods" },
    { command: "sudo sluice lab policy apply demo/policy.yaml", does: "spread over the gateways" },
    { command: "sudo sluice lab check", does: "compares what the server saw with the plan" },
    { command: "sudo sluice lab exec pod-1 -- ping -c 3 198.51.100.100", does: "by hand" },
    { command: "sudo sluice lab exec worker-1 sluice status", does: "asks a node's agent" },
    { command: "sudo sluice lab down", does: "takes it all away" },
  ],
  exits: [
    "0  done; check and traffic: everything is as the plan says",
    "1  check, traffic: it is not, or an address was seen that no plan promised",
    "2  wrong usage, or a lab that cannot be made or is not there",
    "N  exec: whatever the command ended with",
  ],
  load: () => import("./lab.ts"),
};
