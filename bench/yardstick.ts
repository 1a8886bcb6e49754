// The generated cluster of the engine's benchmark: 200 nodes, 10 gateways, 50 policies with 3
// prefixes each, every endpoint in 1 to 3 policies. Deterministic, so that runs compare.

const NODES = 200;
const GATEWAYS = 10;
const POLICIES = 50;
const PREFIXES = 3;
const NAMESPACES = 20;

/** The objects of the cluster, as `kubectl get -o json` gives them, one by one. */
export function* yardstick(endpoints: number): Generator<object> {
  for (let i = 0; i < NODES; i++) yield node(i);
  for (let i = 0; i < GATEWAYS; i++) yield nodeState(i);
  for (let i = 0; i < NAMESPACES; i++) {
    const metadata = { name: `ns-${i}`, labels: { team: `t${i % 4}` } };
    yield { apiVersion: "v1", kind: "Namespace", metadata };
  }
  for (let i = 0; i < POLICIES; i++) yield policy(i);
  for (let i = 0; i < endpoints; i++) yield pod(i);
}

/** The Pod with this number; `number` beyond the cluster's size gives new ones. */
export function pod(number: number): object {
  const labels: Record<string, string> = { app: `app-${number % 500}` };
  // One to three policies each: policy p selects pods with the label p-<p>.
  for (let i = 0; i <= number % 3; i++) labels[`p-${(number * 7 + i * 17) % POLICIES}`] = "true";
  const address = `10.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `web-${number}`,
      namespace: `ns-${number % NAMESPACES}`,
      uid: uid(number),
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels,
    },
    spec: { nodeName: `node-${number % NODES}` },
    status: { phase: "Running", podIP: address, podIPs: [{ ip: address }] },
  };
}

/** Spread like random UUIDs, so that hash strategies have something to hash. */
function uid(number: number): string {
  let state = (number + 1) * 0x9e3779b1;
  const word = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
    return (state >>> 0).toString(16).padStart(8, "0");
  };
  const hex = word() + word() + word() + word();
  return [8, 4, 4, 4, 12]
    .map((length, i, all) => {
      const start = all.slice(0, i).reduce((sum, one) => sum + one, 0);
      return hex.slice(start, start + length);
    })
    .join("-");
}

function node(number: number): object {
  const labels: Record<string, string> = { "kubernetes.io/hostname": `node-${number}` };
  if (number < GATEWAYS) labels.egress = `gw-${number}`;
  const address = `192.168.${number >>> 8}.${(number & 255) + 1}`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `node-${number}`, labels },
    status: { addresses: [{ type: "InternalIP", address }] },
  };
}

function nodeState(number: number): object {
  return {
    apiVersion: "sluice.dev/v1alpha1",
    kind: "NodeState",
    metadata: { name: `node-${number}` },
    status: {
      interfaces: [{ name: "eth1", ifindex: 3, addresses: [`192.0.2.${number + 1}/24`] }],
      defaultRoutes: [{ family: "IPv4", interface: "eth1" }],
    },
  };
}

function policy(number: number): object {
  const gateway = (i: number) => ({ nodeSelector: { matchLabels: { egress: `gw-${i}` } } });
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: `policy-${number}`, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      selectors: [{ podSelector: { matchLabels: { [`p-${number}`]: "true" } } }],
      destinationCIDRs: Array.from(
        { length: PREFIXES },
        (_, i) => `${100 + i}.${number}.0.0/16`,
      ),
      egressGateways: Array.from({ length: GATEWAYS }, (_, i) => gateway(i)),
    },
  };
}
