// Where a lab keeps its things and how its namespaces are called. Everything of a lab lies below
// one directory and in namespaces of one prefix, so that `down` finds it whatever happened before.

import { join } from "node:path";

/** A directory for each lab of this machine. */
export const STATE_ROOT = "/run/sluice-lab";
const NETNS_ROOT = "/run/netns";

/** Short, since namespaces, files and messages carry it. */
export const LAB_NAME = /^[a-z0-9][a-z0-9-]{0,15}$/;

/** The places of one lab. */
export class LabPlace {
  readonly name: string;
  readonly directory: string;

  constructor(name: string) {
    this.name = name;
    this.directory = join(STATE_ROOT, name);
  }

  /** Kubernetes objects: what the agents watch. */
  get objects(): string {
    return join(this.directory, "cluster");
  }

  /** What the nodes' kernels have, as `plan` reads it; not for the agents. */
  get nodeStates(): string {
    return join(this.directory, "node-states");
  }

  /** Which API server holds the objects; absent where files do. */
  get api(): string {
    return join(this.directory, "api.json");
  }

  /** A way to the API server that network namespaces do not separate. */
  get apiSocket(): string {
    return join(this.directory, "api.sock");
  }

  /** An agent's way to the API server. */
  kubeconfig(node: string): string {
    return join(this.directory, "nodes", node, "kubeconfig");
  }

  get topology(): string {
    return join(this.directory, "lab.json");
  }

  /** What host-local remembers. */
  get addresses(): string {
    return join(this.directory, "cni");
  }

  /** A pod's CNI result and place: needed to undo it. */
  get pods(): string {
    return join(this.directory, "pods");
  }

  log(process: string): string {
    return join(this.directory, "log", `${process}.log`);
  }

  node(node: string): { readonly bpf: string; readonly state: string } {
    const directory = join(this.directory, "nodes", node);
    return { bpf: join(directory, "bpf"), state: join(directory, "state") };
  }

  /** The network namespace of a node, bridge, server or pod, as `ip netns` knows it. */
  namespace(member: string): string {
    return `${this.prefix}${member}`;
  }

  /** The name's end is marked, or one lab's prefix could begin another's. */
  get prefix(): string {
    return `sl-${this.name}_`;
  }

  path(member: string): string {
    return namespacePath(this.namespace(member));
  }
}

export function namespacePath(namespace: string): string {
  return join(NETNS_ROOT, namespace);
}

/** The names of pods' namespaces begin so: a pod must not be taken for a node. */
export function podMember(pod: string): string {
  return `pod_${pod}`;
}

export const NAMESPACES_DIRECTORY = NETNS_ROOT;
