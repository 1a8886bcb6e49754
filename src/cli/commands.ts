// The table of commands: everything that the command line offers. Importing it loads no command.

import { CLUSTER_COMMANDS } from "./cluster-commands.ts";
import type { Command, Option } from "./command.ts";
import { LAB_COMMAND } from "./lab-command.ts";
import { NODE_COMMANDS } from "./node-commands.ts";
import {
  CLUSTER_CIDR,
  CONTEXT,
  DISTRIBUTION,
  ENDPOINTS,
  KUBECONFIG,
  MAP_DIR,
  MAP_SIZE,
  output,
  ROWS,
} from "./shared-options.ts";
import { STATUS_COMMAND } from "./status-command.ts";

const FILE: Option = {
  name: "file",
  short: "f",
  value: "PATH",
  kind: "file",
  repeatable: true,
  summary:
    "file or directory of Kubernetes YAML or JSON, without the directories in it; - is standard " +
    "input",
};

function side(name: string, summary: string): Option {
  return { name, value: "PATH", kind: "file", repeatable: true, summary };
}

const INPUT: readonly Option[] = [FILE, KUBECONFIG, CONTEXT, ENDPOINTS];

const STRICT: Option = { name: "strict", summary: "exit with 1 for warnings too" };

const FOUND_ERRORS = "1  errors in the input objects; with --strict also warnings";
const WRONG_USAGE = "2  wrong usage, or input that cannot be read";

export const COMMANDS: readonly Command[] = [
  {
    name: "plan",
    summary: "the gateways and egress IPs of policies, and the rows of a node",
    description: [
      "Reads policies, pods, nodes and what belongs to them, and shows what they mean: per " +
        "policy the gateways, their egress IPs and how many endpoints each one serves; then how " +
        "full the maps are and how many SNAT ports every endpoint has.",
      "With -o wide also which gateway every endpoint uses; -o json has the same for programs.",
      "With --node also every row of that node's policy map, with egress IPs where that node is " +
        "the gateway; -o json shows what the map holds.",
    ],
    options: [
      ...INPUT,
      { name: "node", value: "NAME", summary: "show the policy rows of this node" },
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      output(["table", "wide", "json", "yaml"]),
      STRICT,
    ],
    positionals: [],
    examples: [
      {
        command: "sluice plan -f examples/cluster -f examples/policy.yaml",
        does: "plans the example cluster",
      },
      {
        command: "sluice plan -f examples/cluster -f examples/policy.yaml -o wide",
        does: "adds which gateway every endpoint uses",
      },
      {
        command: "sluice plan -f examples/cluster -f examples/policy.yaml --node gateway-1",
        does: "adds the rows that gateway-1 holds",
      },
      {
        command: "sluice plan --kubeconfig ~/.kube/config --node gateway-1",
        does: "plans a live cluster, without touching it",
      },
      {
        command: "sluice plan -f cluster/ -o json | jq '.assignments[] | select(.gateway == null)'",
        does: "finds endpoints whose traffic is dropped",
      },
    ],
    exits: ["0  done; warnings are allowed", FOUND_ERRORS, WRONG_USAGE],
    load: () => import("./plan.ts"),
  },
  {
    name: "diff",
    summary: "who moves to another gateway between two states of a cluster",
    description: [
      "Plans both sides and compares: endpoints that move, start or stop using a gateway, " +
        "gateways that change their addresses, and how the maps fill. Endpoints are matched by " +
        "the pod's UID. Each side is a whole state: what is not named on it is not there.",
      "Established connections stay where they began; what moves is new connections.",
    ],
    options: [
      side("from", "the old state: file or directory; - is standard input"),
      { ...side("to", "the new state: file or directory; - is standard input"), required: true },
      { ...KUBECONFIG, summary: "the old state is this live cluster, --to what is applied to it" },
      CONTEXT,
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      output(["table", "json", "yaml"]),
    ],
    positionals: [],
    examples: [
      {
        command:
          "sluice diff --from examples/cluster --from examples/policy.yaml " +
          "--to examples/cluster --to examples/grown",
        does: "one pod and one gateway more: who moves?",
      },
      {
        command: "sluice diff --kubeconfig ~/.kube/config --to new-policy.yaml",
        does: "who would move if this were applied to the live cluster?",
      },
    ],
    exits: [
      "0  no difference",
      "1  a difference",
      "2  wrong usage, input that cannot be read, or errors in the input objects",
    ],
    load: () => import("./diff.ts"),
  },
  {
    name: "explain",
    summary: "why a pod's packets leave with this address, step by step",
    description: [
      "Tells which policies select the pod or which label failed, which gateways resolved and " +
        "which did not, how one was chosen, which row wins for the destination, and what happens " +
        "to a packet.",
      "POD is a name, namespace/name, a UID or an IP address. Without DESTINATION, every prefix " +
        "of the pod's policies is explained.",
      "Of a live cluster it also tells whether the kernels of the pod's node and of the gateway " +
        "have taken this over, as their agents last said.",
    ],
    options: [
      ...INPUT,
      { name: "namespace", short: "n", value: "NAME", summary: "of POD, which is then a name" },
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      CLUSTER_CIDR,
      output(["text", "json"]),
    ],
    positionals: [{ name: "POD" }, { name: "DESTINATION", optional: true }],
    examples: [
      {
        command:
          "sluice explain -f examples/cluster -f examples/policy.yaml checkout-0 203.0.113.10",
        does: "why checkout-0 reaches the partner from its address",
      },
      {
        command: "sluice explain -f cluster/ shop/cart-0",
        does: "everything that policies say about a pod",
      },
    ],
    exits: ["0  explained", "1  errors in the input objects", WRONG_USAGE],
    load: () => import("./explain.ts"),
  },
  {
    name: "consolidate",
    summary: "one policy with a list for several that split pods by hand",
    description: [
      "Finds policies that have the same destinations and, but for the values of one label, " +
        "the same selectors, each with a gateway of its own. Shows the one that replaces them, " +
        "which selects exactly the same endpoints, and who then moves.",
      "A policy without that label's values in common stays: that different pods leave with " +
        "different addresses may be meant. --any proposes these too.",
    ],
    options: [
      ...INPUT,
      { name: "any", summary: "also policies that share nothing but their destinations" },
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      output(["text", "yaml"]),
    ],
    positionals: [],
    examples: [
      { command: "sluice consolidate -f cluster/", does: "what could be one, and who would move" },
      {
        command: "sluice consolidate --kubeconfig ~/.kube/config -o yaml | kubectl apply -f -",
        does: "applies the proposal; the old policies win until they are deleted",
      },
    ],
    exits: [
      "0  nothing to consolidate",
      "1  a proposal",
      "2  wrong usage, input that cannot be read, or errors in the input objects",
    ],
    load: () => import("./consolidate.ts"),
  },
  {
    name: "validate",
    summary: "only what is wrong or surprising in the input; for pipelines",
    description: [
      "Reads the input as plan does and shows the issues: errors, where an object is refused, " +
        "and warnings, where it is accepted but may not do what was meant.",
    ],
    options: [...INPUT, ROWS, DISTRIBUTION, MAP_SIZE, output(["table", "json", "yaml"]), STRICT],
    positionals: [],
    examples: [
      { command: "sluice validate -f manifests/ --strict", does: "fails a pipeline on any issue" },
      { command: "sluice validate -f policy.yaml -o json", does: "the issues for a program" },
    ],
    exits: ["0  no errors; warnings are allowed", FOUND_ERRORS, WRONG_USAGE],
    load: () => import("./validate.ts"),
  },
  {
    name: "map",
    summary: "what stands in this node's policy maps in the kernel",
    description: [
      "list: every entry of the policy maps that are pinned in a directory, sorted, whether " +
        "Sluice or Cilium wrote them. Nothing is changed. The table shows an egress IP only " +
        "where this node is the gateway; -o json shows what the maps hold.",
      "It asks the running kernel, so it needs root and libbpf 1 (Debian: libbpf1).",
    ],
    options: [
      MAP_DIR,
      output(["table", "json"]),
    ],
    positionals: [{ name: "ACTION", values: ["list"] }],
    examples: [
      { command: "sluice map list", does: "the policy rows that this node's kernel has" },
      {
        command: "sluice map list -o json | jq '.rows[] | select(.gatewayIP == \"0.0.0.0\")'",
        does: "finds rows whose traffic is dropped",
      },
    ],
    exits: ["0  done", "2  wrong usage, or maps that are not there or cannot be read"],
    load: () => import("./map.ts"),
  },
  ...CLUSTER_COMMANDS,
  ...NODE_COMMANDS,
  STATUS_COMMAND,
  LAB_COMMAND,
  {
    name: "completion",
    summary: "completions of commands, options and values for a shell",
    description: ["Writes a script that the shell loads; the examples show how."],
    options: [],
    positionals: [{ name: "SHELL", values: ["bash", "zsh", "fish"] }],
    examples: [
      { command: "source <(sluice completion bash)", does: "in ~/.bashrc" },
      { command: "source <(sluice completion zsh)", does: "in ~/.zshrc, after compinit" },
      { command: "sluice completion fish | source", does: "in ~/.config/fish/config.fish" },
    ],
    exits: ["0  done", "2  wrong usage"],
    load: () => import("./completion.ts"),
  },
];
