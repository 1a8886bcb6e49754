// The commands that concern a cluster as a whole: part of the table of commands.

import type { Command, Option } from "./command.ts";
import {
  CONTEXT,
  DISTRIBUTION,
  ENDPOINTS,
  KUBECONFIG,
  MAP_SIZE,
  METRICS_LISTEN,
  NAMESPACE,
  ROWS,
} from "./shared-options.ts";

const MANIFEST_OPTIONS: readonly Option[] = [
  NAMESPACE,
  {
    name: "image",
    value: "IMAGE",
    summary: "Sluice's image, as nodes pull it; sluice:VERSION by default",
  },
  {
    name: "agent-arg",
    value: "WORD",
    repeatable: true,
    summary: "one more word of the agents' command line, as in --agent-arg=--rows=all",
  },
];

export const CLUSTER_COMMANDS: readonly Command[] = [
  {
    name: "manifests",
    summary: "prints what an installation consists of, as Kubernetes YAML",
    description: [
      "Definitions, accounts and their rights line by line, the agents' DaemonSet, the " +
        "controller's Deployment, the admission policy, a Service for metrics: with comments, " +
        "for reading, for kubectl and for a repository. Nothing is asked or changed.",
      "Where Cilium is installed, leave its definition of policies: --part rest.",
    ],
    options: [
      ...MANIFEST_OPTIONS,
      {
        name: "part",
        value: "WHICH",
        values: ["all", "crds", "rest"],
        default: "all",
        summary: "the definitions (CRDs), the rest, or both",
      },
    ],
    positionals: [],
    examples: [
      { command: "sluice manifests | less", does: "what would be installed, and why" },
      {
        command: "sluice manifests --image images.example.com/sluice:0.1.0 | kubectl apply -f -",
        does: "installs without asking questions",
      },
    ],
    exits: ["0  done", "2  wrong usage"],
    load: () => import("./manifests.ts"),
  },
  {
    name: "install",
    summary: "installs Sluice into a cluster, or brings it up to this version",
    description: [
      "Applies what `sluice manifests` prints, by server-side apply, and says each object. A " +
        "definition of policies that Cilium installed is left as it is, and what it lacks is said.",
      "Without --image an installed image of this version stays; one of another version is asked " +
        "about. Words of the agents are those of this call alone.",
      "A field that somebody else owns is a conflict, said and not overwritten, unless --force.",
    ],
    options: [
      KUBECONFIG,
      CONTEXT,
      ...MANIFEST_OPTIONS,
      { name: "dry-run", summary: "the cluster checks what it can and changes nothing" },
      { name: "force", summary: "take fields over that others own" },
    ],
    positionals: [],
    examples: [
      { command: "sluice install --dry-run", does: "would the cluster accept it?" },
      {
        command: "sluice install --image images.example.com/sluice:0.1.0",
        does: "installs it, or brings it up to this version",
      },
    ],
    exits: ["0  done", "2  wrong usage, or the cluster refuses something"],
    load: () => import("./install.ts"),
  },
  {
    name: "controller",
    summary: "writes the status of policies, and events about them",
    description: [
      "Watches the cluster and what the nodes' agents acknowledge, and says on each policy what " +
        "became of it: accepted, resolved, programmed on which nodes, and which endpoints use " +
        "which gateway. No node depends on it.",
      "Of several controllers one is active, by a Lease; the others are ready to follow. Give it " +
        "the agents' settings.",
    ],
    options: [
      KUBECONFIG,
      CONTEXT,
      ENDPOINTS,
      ROWS,
      DISTRIBUTION,
      MAP_SIZE,
      { ...NAMESPACE, env: "POD_NAMESPACE", summary: "where the Lease lies" },
      {
        name: "identity",
        value: "NAME",
        env: "POD_NAME",
        summary: "this process among the controllers; the host's name by default",
      },
      METRICS_LISTEN,
    ],
    positionals: [],
    examples: [
      { command: "sluice controller", does: "as the Deployment of `sluice install` runs it" },
      { command: "sluice controller --kubeconfig ~/.kube/config", does: "from anywhere" },
    ],
    exits: ["0  ended by SIGTERM or SIGINT", "2  wrong usage, or no cluster"],
    load: () => import("./controller.ts"),
  },
];
