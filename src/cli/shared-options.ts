// Options that several commands have: part of the table of commands.

import { DISTRIBUTIONS } from "../model/policy.ts";
import type { Option } from "./command.ts";

export const DISTRIBUTION: Option = {
  name: "distribution",
  value: "STRATEGY",
  values: DISTRIBUTIONS,
  env: "SLUICE_DISTRIBUTION",
  default: "round-robin",
  summary: "for policies without the annotation sluice.dev/distribution",
};

export const ROWS: Option = {
  name: "rows",
  value: "WHICH",
  values: ["needed", "all"],
  env: "SLUICE_ROWS",
  default: "needed",
  summary: "the rows that a node holds: those it needs, or every row as Cilium does",
};

export const MAP_SIZE: Option = {
  name: "map-size",
  value: "N",
  kind: "count",
  env: "SLUICE_MAP_SIZE",
  default: "262144",
  summary: "entries of a policy map",
};

export const CLUSTER_CIDR: Option = {
  name: "cluster-cidr",
  value: "PREFIX",
  repeatable: true,
  summary: "belongs to the cluster, beside what its objects say: policies do not touch it",
};

export const KUBECONFIG: Option = {
  name: "kubeconfig",
  value: "PATH",
  kind: "file",
  summary: "the live cluster that this kubeconfig names",
};

export const CONTEXT: Option = {
  name: "context",
  value: "NAME",
  summary: "which context of the kubeconfig; its current one by default",
};

export const ENDPOINTS: Option = {
  name: "endpoints",
  value: "FROM",
  values: ["auto", "pods", "cilium"],
  env: "SLUICE_ENDPOINTS",
  default: "auto",
  summary: "from the API: Pods, CiliumEndpoints, or both where Cilium is installed",
};

export const MAP_DIR: Option = {
  name: "map-dir",
  value: "DIR",
  kind: "file",
  env: "SLUICE_MAP_DIR",
  default: "/sys/fs/bpf/tc/globals",
  summary: "where the maps are pinned; Cilium's own place by default",
};

export const METRICS_LISTEN: Option = {
  name: "metrics-listen",
  value: "ADDRESS:PORT",
  default: "0.0.0.0:9878",
  summary: "where /metrics, /healthz and /readyz answer",
};

/** Where an agent answers that was told nothing else. */
export const STATUS_LISTEN_DEFAULT = "127.0.0.1:9879";

/** Without a default: whether it is given tells whom the plugin of kubectl means. */
export const STATUS_ADDRESS: Option = {
  name: "address",
  value: "ADDRESS:PORT",
  env: "SLUICE_STATUS_ADDRESS",
  summary: `the agent's --status-listen; ${STATUS_LISTEN_DEFAULT} unless given`,
};

export const NAMESPACE: Option = {
  name: "namespace",
  short: "n",
  value: "NAME",
  default: "sluice-system",
  summary: "where Sluice's own pods run",
};

/** The first of the forms is what people read. */
export function output(values: readonly string[]): Option {
  return {
    name: "output",
    short: "o",
    value: "FORM",
    values,
    default: values[0] as string,
    summary: "how the answer is written",
  };
}
