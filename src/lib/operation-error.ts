// Operating failures: the world refused what a driver or a sink asked for. They are caught in one
// place per side, retried or reported. Wrong input is an `Issue`, a broken invariant an `assert`.

import { getSystemErrorName } from "node:util";

/** What a failure means and what to do about it; errno names as in errno(3), and our own. */
const CODES: Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>> = {
  EPERM: {
    meaning: "not permitted",
    remedy: "run as root, or with the capabilities CAP_BPF and CAP_NET_ADMIN",
  },
  EROFS: {
    meaning: "this is read-only here",
    remedy:
      "in a container, mount the host's /proc/sys/net somewhere and name the place with " +
      "SLUICE_PROC_SYS_NET",
  },
  EACCES: { meaning: "permission denied", remedy: "run as root" },
  ENOENT: { meaning: "there is no such file", remedy: "check the path" },
  ENOTDIR: { meaning: "this is no directory", remedy: "name a directory" },
  EEXIST: {
    meaning: "somebody else made it meanwhile",
    remedy: "see that only one agent runs on this node, then try again",
  },
  ENOSPC: {
    meaning: "the map is full",
    remedy: "raise the map size, or narrow the policies",
  },
  E2BIG: {
    meaning: "the map is full, or larger than this kernel allows",
    remedy: "choose another map size",
  },
  ENOMEM: {
    meaning: "the kernel has no memory for it",
    remedy: "lower the map size, or raise the memory limit of this process's cgroup",
  },
  NoBpffs: {
    meaning: "this is not in a BPF file system",
    remedy: "name a directory below one; mount it with: mount -t bpf bpf /sys/fs/bpf",
  },
  NoLibbpf: {
    meaning: "libbpf.so.1 cannot be loaded",
    remedy: "install libbpf 1.0 or newer; on Debian: apt-get install libbpf1",
  },
  ForeignLayout: {
    meaning: "a map of another layout is pinned here",
    remedy: "see who made it; remove the pin or choose another directory; nothing was changed",
  },
  MissingTool: {
    meaning: "the tool is not installed",
    remedy: "install iproute2, nftables and conntrack, and see that they are in PATH",
  },
  ToolFailed: {
    meaning: "the tool refused",
    remedy: "read its complaint; as root, run the same command by hand",
  },
  ToolHung: {
    meaning: "the tool did not answer",
    remedy: "see the kernel's log; the network configuration lock may be held",
  },
  ForeignDevice: {
    meaning: "a network interface of this name is there, and it is not ours",
    remedy: "see who made it; remove or rename it, or choose another name; nothing was changed",
  },
  PortTaken: {
    meaning: "another tunnel or program of this node has this UDP port",
    remedy: "choose another port with --tunnel-port, the same on all nodes",
  },
  BadState: {
    meaning: "this file of ours cannot be read",
    remedy: "remove it; what it remembers is lost, and uninstalling cannot restore it",
  },
  ForeignFilter: {
    meaning: "somebody else's tc filter has the place of ours",
    remedy: "see whose it is: tc filter show dev DEVICE ingress; move or remove it",
  },
  PinsLost: {
    meaning:
      "programs run here whose pins somebody removed, and to find their maps again takes " +
      "CAP_SYS_ADMIN",
    remedy:
      "add SYS_ADMIN to the agent's capabilities until it has started here, or begin anew with " +
      "`sluice uninstall --yes`, which ends connections through gateways",
  },
  ForeignObject: {
    meaning: "the object file is not that of Sluice's programs",
    remedy: "build it again: make build",
  },
  UnfitNode: {
    meaning: "this node cannot run it as things are; nothing was changed",
    remedy: "do what is said above; `sluice doctor` checks again and shows the rest",
  },
  CiliumEgressGateway: {
    meaning: "Cilium's own egress gateway is on",
    remedy:
      "turn it off (egressGateway.enabled: false in Cilium's Helm values) and restart Cilium's " +
      "agents; two who write the policy maps undo each other's work; see docs/migration.md",
  },
  NoCluster: {
    meaning: "nothing says what is inside it",
    remedy: "give Node objects with podCIDRs, ServiceCIDRs or IPPools, or --cluster-cidr",
  },
  NoNodeAddress: {
    meaning: "no object gives this node an internal IPv4 address",
    remedy: "check --node against the names of Node objects and their status.addresses",
  },
  NoAgent: {
    meaning: "no agent answers",
    remedy:
      "start one with sluice agent, or name its --status-listen with --address; a whole cluster " +
      "is asked with --kubeconfig",
  },
  ForeignAnswer: {
    meaning: "what answers there is no agent of this version",
    remedy: "name the agent's --status-listen with --address; see its log",
  },
  BadListen: {
    meaning: "this is no address with a port",
    remedy: "write both, as in 127.0.0.1:9879 or [::1]:9879",
  },
  EADDRINUSE: {
    meaning: "somebody else listens there",
    remedy: "see that only one agent runs on this node, or choose another port",
  },
  EADDRNOTAVAIL: {
    meaning: "this host does not have the address",
    remedy: "choose an address of this host, or 0.0.0.0 for all of them",
  },
  BadKubeconfig: {
    meaning: "this kubeconfig cannot be used",
    remedy: "check the file with: kubectl --kubeconfig FILE config view",
  },
  NoKubeconfig: {
    meaning: "nothing says where the Kubernetes API is",
    remedy: "name a kubeconfig with --kubeconfig, or run in a Pod with a ServiceAccount",
  },
  NoCredentials: {
    meaning: "the credentials for the Kubernetes API cannot be had",
    remedy: "see that `kubectl get nodes` works with the same kubeconfig and as the same user",
  },
  ApiUnreachable: {
    meaning: "the Kubernetes API cannot be reached",
    remedy: "check the server's address, its load balancer and the network between",
  },
  ApiUntrusted: {
    meaning: "the Kubernetes API shows a certificate that is not trusted",
    remedy: "check certificate-authority in the kubeconfig, and the name in the certificate",
  },
  Unauthorized: {
    meaning: "the Kubernetes API does not know who asks",
    remedy: "renew the token or the client certificate",
  },
  Forbidden: {
    meaning: "the Kubernetes API does not allow this",
    remedy: "give the user or ServiceAccount the right, by a role and its binding",
  },
  NotFound: {
    meaning: "the Kubernetes API does not have it",
    remedy: "check the name; for a kind, whether its CustomResourceDefinition is installed",
  },
  NoStatus: {
    meaning: "their definition is not Sluice's and has no status: events and metrics say the same",
    remedy: "see docs/migration.md for how it is replaced; nothing else depends on it",
  },
  AlreadyExists: {
    meaning: "there is an object of this name",
    remedy: "change that one, or choose another name",
  },
  Conflict: {
    meaning: "somebody else changed the object, or owns the field",
    remedy: "read it again and repeat the change",
  },
  Expired: {
    meaning: "the Kubernetes API no longer has this resourceVersion",
    remedy: "list anew",
  },
  Invalid: {
    meaning: "the Kubernetes API refuses the object",
    remedy: "correct the object as the message says",
  },
  TooManyRequests: {
    meaning: "the Kubernetes API has too much to do",
    remedy: "try again later; see its flow control (FlowSchema) if that stays so",
  },
  ApiFailed: {
    meaning: "the Kubernetes API failed",
    remedy: "see the log of kube-apiserver",
  },
  Unsettled: {
    meaning: "the map changed faster than it could be read",
    remedy: "see that nobody else writes it, then try again",
  },
};

export interface Failure {
  /** A name of the table above, or of errno(3). */
  readonly code: string;
  /** What was tried, as in `bpf_map_create`. */
  readonly op: string;
  /** What it was tried on: a path, a map's name. */
  readonly target: string;
  /** More than the code's meaning says. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/** `TARGET: MEANING (OP: CODE)`; `remedy` says what to do. */
export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly code: string;
  readonly op: string;
  readonly target: string;
  readonly remedy: string;

  constructor({ code, op, target, detail, cause }: Failure) {
    const known = CODES[code];
    const meaning = detail ?? known?.meaning ?? "the kernel refused";
    super(`${target}: ${meaning} (${op}: ${code})`, { cause });
    this.code = code;
    this.op = op;
    this.target = target;
    this.remedy = known?.remedy ?? "look the code up in errno(3) and in the kernel's log";
  }
}

/** The name of a negative errno that the kernel or a library returned: -2 is `ENOENT`. */
export function errnoName(result: number): string {
  return getSystemErrorName(result);
}
