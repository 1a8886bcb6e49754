// The commands that run on a node and speak to its kernel: part of the table of commands.

import type { Command, Option } from "./command.ts";
import {
  CLUSTER_CIDR,
  CONTEXT,
  DISTRIBUTION,
  ENDPOINTS,
  KUBECONFIG,
  MAP_DIR,
  MAP_SIZE,
  METRICS_LISTEN,
  NAMESPACE,
  output,
  ROWS,
  STATUS_ADDRESS,
  STATUS_LISTEN_DEFAULT,
} from "./shared-options.ts";

const STATE_DIR: Option = {
  name: "state-dir",
  value: "DIR",
  kind: "file",
  env: "SLUICE_STATE_DIR",
  default: "/var/lib/sluice",
  summary: "what must outlive a restart: accepted policies, settings found before ours",
};

const BPF_DIR: Option = {
  name: "bpf-dir",
  value: "DIR",
  kind: "file",
  env: "SLUICE_BPF_DIR",
  default: "/sys/fs/bpf",
  summary: "a BPF file system; Sluice's own maps and programs are pinned below it",
};

const TUNNEL_PORT: Option = {
  name: "tunnel-port",
  value: "PORT",
  kind: "count",
  env: "SLUICE_TUNNEL_PORT",
  default: "8473",
  summary: "UDP port of the tunnel between nodes; the same on every node",
};

const MARK_SHIFT: Option = {
  name: "mark-shift",
  value: "BITS",
  kind: "count",
  env: "SLUICE_MARK_SHIFT",
  summary: "moves Sluice's 14 mark bits up, where others use the lowest ones",
};

export const NODE_COMMANDS: readonly Command[] = [
  {
    name: "agent",
    summary: "keeps this node right: policy rows, tunnel, translation, guards",
    description: [
      "Watches the Kubernetes API, or a directory of Kubernetes YAML, and this node's links, and " +
        "programs the kernel accordingly: one process per node, in the node's network namespace, " +
        "as root. In a Pod it needs no kubeconfig. While the API is away it changes nothing.",
      "What it programs works on without it: ending or restarting the agent disturbs no " +
        "connection. `sluice uninstall` removes everything.",
      "With --datapath none it writes only the policy maps, for a datapath that reads them.",
    ],
    options: [
      {
        name: "source",
        value: "DIR",
        kind: "file",
        env: "SLUICE_SOURCE",
        summary: "directory of Kubernetes YAML or JSON, watched",
      },
      { ...KUBECONFIG, summary: "watch the Kubernetes API that this kubeconfig names" },
      CONTEXT,
      ENDPOINTS,
      {
        name: "node",
        value: "NAME",
        required: true,
        env: "NODE_NAME",
        summary: "this node, as its Node object calls it",
      },
      {
        name: "datapath",
        value: "WHOSE",
        values: ["sluice", "none"],
        env: "SLUICE_DATAPATH",
        default: "sluice",
        summary: "sluice programs the node; none only writes the policy maps",
      },
      BPF_DIR,
      {
        ...MAP_DIR,
        default: "",
        summary: "where the policy maps are pinned; tc/globals below --bpf-dir by default",
      },
      STATE_DIR,
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      { name: "legacy-v4-map", summary: "write the IPv4 map of older Cilium releases too" },
      CLUSTER_CIDR,
      {
        name: "unclassified",
        value: "WHAT",
        values: ["hold", "allow"],
        default: "hold",
        summary: "new flows of pods that the agent does not know yet: drop until it does, or pass",
      },
      TUNNEL_PORT,
      {
        name: "vni",
        value: "N",
        kind: "count",
        default: "7473",
        summary: "the tunnel's network identifier; the same on every node",
      },
      MARK_SHIFT,
      {
        name: "status-listen",
        value: "ADDRESS:PORT",
        default: STATUS_LISTEN_DEFAULT,
        summary: "where /v1/status answers; a loopback address",
      },
      METRICS_LISTEN,
    ],
    positionals: [],
    examples: [
      {
        command: "sluice agent --source /etc/sluice/cluster --node $(hostname)",
        does: "runs the node from a directory",
      },
      {
        command: "sluice agent --kubeconfig ~/.kube/config --node $(hostname)",
        does: "runs the node from the Kubernetes API",
      },
      {
        command: "sluice agent --source cluster/ --node worker-1 --datapath none",
        does: "only the policy maps",
      },
    ],
    exits: ["0  ended by SIGTERM or SIGINT", "2  wrong usage, or a node that cannot run it"],
    load: () => import("./agent.ts"),
  },
  {
    name: "doctor",
    summary: "checks this node before anything is changed, and says what to do",
    description: [
      "Kernel, capabilities, tools, BPF file system and pinned maps; the network plugin, other " +
        "datapaths, marks, rules and ports that others use; connection tracking and forwarding. " +
        "Nothing is changed. Give it the options that the agent will have.",
    ],
    options: [
      {
        name: "datapath",
        value: "WHOSE",
        values: ["sluice", "none"],
        env: "SLUICE_DATAPATH",
        default: "sluice",
        summary: "as for the agent; none: only what the policy maps need is checked",
      },
      BPF_DIR,
      {
        ...MAP_DIR,
        default: "",
        summary: "where the policy maps are pinned; tc/globals below --bpf-dir by default",
      },
      TUNNEL_PORT,
      MARK_SHIFT,
      output(["table", "json"]),
    ],
    positionals: [],
    examples: [
      { command: "sluice doctor", does: "can an agent run here?" },
      {
        command: "sluice doctor -o json | jq '.findings[] | select(.level == \"error\")'",
        does: "what is in its way, for a program",
      },
    ],
    exits: ["0  an agent can run here", "1  something is in its way", "2  wrong usage"],
    load: () => import("./doctor.ts"),
  },
  {
    name: "uninstall",
    summary: "removes everything that the agent programmed on this node",
    description: [
      "Programs, maps, the tunnel, rules, routes, the nftables table and changed sysctls: the " +
        "node is as it was before. End the agent first: while one answers at --address nothing " +
        "is removed, for it would put everything back.",
      "From then on the pods' traffic leaves the ordinary way, with the node's address; so it " +
        "asks for --yes.",
      "With --cluster it takes Sluice out of a Kubernetes cluster: first every node, by the " +
        "agents' own DaemonSet, then everything that `sluice install` applied.",
    ],
    options: [
      { name: "cluster", summary: "the whole cluster in place of this node" },
      KUBECONFIG,
      CONTEXT,
      NAMESPACE,
      { name: "with-policies", summary: "with --cluster: the policies and their definition too" },
      {
        name: "timeout",
        value: "SECONDS",
        kind: "count",
        default: "300",
        summary: "with --cluster: how long to wait for the nodes",
      },
      STATUS_ADDRESS,
      { name: "stay", summary: "when the node is clean, answer probes until SIGTERM" },
      METRICS_LISTEN,
      BPF_DIR,
      { ...MAP_DIR, default: "", summary: "where the policy maps are pinned" },
      STATE_DIR,
      { name: "keep-maps", summary: "leave the policy maps: somebody else reads them" },
      { name: "yes", summary: "do it" },
    ],
    positionals: [],
    examples: [
      { command: "sluice uninstall --yes", does: "removes it from this node" },
      {
        command: "sluice uninstall --cluster",
        does: "says what would leave how if the cluster had no Sluice; --yes does it",
      },
    ],
    exits: ["0  removed", "2  wrong usage, or something could not be removed"],
    load: () => import("./uninstall.ts"),
  },
];
