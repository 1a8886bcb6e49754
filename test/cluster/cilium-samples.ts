// Pods of a cluster with Cilium, each with the CiliumEndpoint and the CiliumIdentity that Cilium's
// agent and operator would make for it; on the nodes of the example.

const CILIUM = "cilium.io/v2";

type Labels = Readonly<Record<string, string>>;

export const NAMESPACES: Readonly<Record<string, Labels>> = {
  shop: { egress: "partner", "kubernetes.io/metadata.name": "shop" },
  billing: { egress: "partner", "kubernetes.io/metadata.name": "billing" },
};

/** A pod, and the identity that Cilium gave to its labels. */
export interface Sample {
  readonly namespace: string;
  readonly name: string;
  readonly number: number;
  readonly worker: 1 | 2;
  readonly labels: Labels;
  readonly identity: number;
}

const APP_NAMES = ["web", "api", "batch"];

/** Of the ten pods in each namespace the policies select eight: those of `web` and `api`. */
export const SAMPLES: readonly Sample[] = Object.keys(NAMESPACES).flatMap((namespace, i) => {
  return Array.from({ length: 10 }, (_, j): Sample => {
    const kind = (j % 5) % 3;
    const app = APP_NAMES[kind] as string;
    return {
      namespace,
      name: `${app}-${j}`,
      number: 10 * i + j + 1,
      worker: j % 2 === 0 ? 1 : 2,
      labels: { app, "app.example.com/part": "of-it" },
      identity: 1000 + 100 * i + kind,
    };
  });
});

export const LATE: Sample = {
  namespace: "shop",
  name: "late-0",
  number: 77,
  worker: 1,
  labels: { app: "web", "app.example.com/part": "late" },
  identity: 4711,
};

export const addressesOf = ({ worker, number }: Sample) => ({
  ipv4: `10.1.${worker}.${number}`,
  ipv6: `fd00:10:1:${worker}::${number}`,
});

/** `pod-template-hash` is one of the labels that Cilium leaves out of identities. */
export function podOf(sample: Sample) {
  const { namespace, name, worker } = sample;
  const { ipv4, ipv6 } = addressesOf(sample);
  const labels = { ...sample.labels, "pod-template-hash": "5d4f8c7b9" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: { nodeName: `worker-${worker}`, containers: [{ name: "main", image: "example" }] },
    status: { phase: "Running", podIP: ipv4, podIPs: [{ ip: ipv4 }, { ip: ipv6 }] },
  };
}

/** Pods that are no endpoints: Cilium has none for them. */
export function podsBeside(): object[] {
  const [onHost, finished] = [201, 202].map((number): Sample => {
    return { ...LATE, name: `beside-${number}`, number };
  }) as [Sample, Sample];
  const [hostPod, finishedPod] = [podOf(onHost), podOf(finished)];
  return [
    { ...hostPod, spec: { ...hostPod.spec, hostNetwork: true } },
    { ...finishedPod, status: { ...finishedPod.status, phase: "Succeeded" } },
  ];
}

export function identityOf({ namespace, labels, identity }: Sample) {
  const prefix = "k8s:io.cilium.k8s.namespace.labels.";
  const outer = Object.entries(NAMESPACES[namespace] ?? {});
  return {
    apiVersion: CILIUM,
    kind: "CiliumIdentity",
    metadata: { name: String(identity) },
    "security-labels": {
      ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [`k8s:${key}`, value])),
      ...Object.fromEntries(outer.map(([key, value]) => [`${prefix}${key}`, value])),
      "k8s:io.kubernetes.pod.namespace": namespace,
      "k8s:io.cilium.k8s.policy.cluster": "default",
      "k8s:io.cilium.k8s.policy.serviceaccount": "default",
    },
  };
}

/** As Cilium's agent makes it: without a status at first, then with the number of an identity. */
export function endpointOf(sample: Sample, podUid: string, { known = true } = {}) {
  const { namespace, name, worker, identity } = sample;
  const owner = { apiVersion: "v1", kind: "Pod", name, uid: podUid };
  const object = {
    apiVersion: CILIUM,
    kind: "CiliumEndpoint",
    metadata: { namespace, name, ownerReferences: [owner] },
  };
  if (!known) return object;
  const networking = { addressing: [addressesOf(sample)], node: `10.0.0.1${worker}` };
  return { ...object, status: { id: 1, identity: { id: identity }, networking } };
}
