// Flows that the outside opens to a lab's pods, as through a NodePort: each node sends what arrives
// at a pod's port on to the pod, whose answers must leave as they came, whatever policies say.

import { runScript } from "../../src/apps/lab/namespaces.ts";
import type { LabPod } from "../../src/apps/lab/state.ts";
import { loadPods } from "../../src/apps/lab/state.ts";
import { OUTSIDE, SERVER } from "../../src/apps/lab/topology.ts";
import type { FlowLab, LabFlow } from "./flow-lab.ts";

/** The client outside, on the server's machine; IPv4 first. */
export const CLIENT = ["198.51.100.150", "2001:db8:100::150"] as const;
/** Where pods listen. */
const POD_PORT = 80;
/** Where the first pod is reached, on its node. */
const NODE_PORT = 30_000;

/** Opens all pods to the outside. */
export async function publish(lab: FlowLab): Promise<void> {
  const addresses = CLIENT.map((one) => {
    const [length, nodad] = one.includes(":") ? [128, "nodad"] : [32, ""];
    return `ip address replace ${one}/${length} dev ${OUTSIDE} ${nodad}`;
  });
  await runScript(lab.place.namespace(SERVER), addresses.join("\n"));
  const pods = loadPods(lab.place);
  for (const { name } of lab.topology.nodes) {
    const rules = pods.flatMap((pod, i) => (pod.node === name ? rulesOf(pod, NODE_PORT + i) : []));
    await lab.inNode(name, `nft -f - <<'END'
      table inet nodeport {
        chain prerouting {
          type nat hook prerouting priority dstnat
          ${rules.join("\n")}
        }
      }
END`);
  }
  await Promise.all(
    pods.map(({ name, addresses: own }) => lab.peer(name).listen(own, POD_PORT)),
  );
}

function rulesOf({ addresses }: LabPod, port: number): string[] {
  return addresses.map((address) => {
    const [ip, to] = address.includes(":") ? ["ip6", `[${address}]`] : ["ip", address];
    const match = `iifname ${OUTSIDE} meta l4proto { tcp, udp } th dport ${port}`;
    return `${match} dnat ${ip} to ${to}:${POD_PORT}`;
  });
}

/** One flow of the outside to every pod for each protocol and family; nothing is opened. */
export function inboundFlows(lab: FlowLab, label: string): LabFlow[] {
  return loadPods(lab.place).flatMap(({ name: pod, node }, i) => {
    const outside = lab.topology.nodes.find(({ name }) => name === node)?.outside ?? [];
    return outside.flatMap((server, family) =>
      (["TCP", "UDP"] as const).map((protocol): LabFlow => {
        const name = `${pod}/${label}/${protocol}${family === 0 ? 4 : 6}`;
        const localAddress = CLIENT[family] as string;
        return { pod, name, protocol, server, port: NODE_PORT + i, localAddress };
      }),
    );
  });
}
