// Live connections of a lab's pods to the server, held by this process: a flow of every protocol
// for each pod and family, and where its packets come from.

import type { TestContext } from "node:test";
import { podMember } from "../../src/apps/lab/place.ts";
import type { LabPod } from "../../src/apps/lab/state.ts";
import { loadPods } from "../../src/apps/lab/state.ts";
import { SERVER_PORT } from "../../src/apps/lab/topology.ts";
import { present } from "../../src/lib/assert.ts";
import type { Lab } from "./live-lab.ts";
import { until } from "./live-lab.ts";
import { isV6, NetnsSocket } from "./netns-socket.ts";

/** A connection of a pod, and the egress IP that the server knows it by. */
export interface Flow {
  readonly socket: NetnsSocket;
  readonly egress: string;
}

/** A pod's address and the server's of the same family. */
export interface Path {
  readonly pod: string;
  readonly node: string;
  /** Of the pod's network namespace. */
  readonly netns: string;
  readonly from: string;
  readonly to: string;
  readonly tcp: Flow;
  readonly udp: Flow;
}

export interface FlowOptions {
  readonly pod: string;
  readonly kind: "tcp" | "udp";
  readonly to: string;
  readonly sourcePort?: number;
}

/** Opens a flow and waits for the server's word. */
export async function openFlow({ place }: Lab, options: FlowOptions): Promise<Flow> {
  const { pod, kind } = options;
  const netns = place.path(podMember(pod));
  const socket = new NetnsSocket({ ...options, netns, port: SERVER_PORT });
  socket.connect();
  let said = "";
  await until(() => {
    if (kind === "udp") socket.send(Buffer.from("hello"));
    said = socket.receive()?.toString("latin1") ?? "";
    return said !== "";
  }, `an answer to ${pod} by ${kind}`);
  const words = said.trim().split(" ");
  return { socket, egress: present(words[kind === "tcp" ? 1 : 0], said) };
}

/** Of every pod, by its addresses; the flows end with the test. */
export async function openPaths(t: TestContext, lab: Lab): Promise<Path[]> {
  const ends = loadPods(lab.place).flatMap((pod) =>
    pod.addresses.map((from) => ({ pod, from, to: serverLike(lab, from) })),
  );
  const paths = await Promise.all(ends.map((one) => openPath(lab, one)));
  t.after(() => {
    for (const { tcp, udp } of paths) for (const { socket } of [tcp, udp]) socket.close();
  });
  return paths;
}

async function openPath(
  lab: Lab,
  { pod: { name: pod, node }, from, to }: { pod: LabPod; from: string; to: string },
): Promise<Path> {
  const [tcp, udp] = await Promise.all([
    openFlow(lab, { pod, kind: "tcp", to }),
    openFlow(lab, { pod, kind: "udp", to }),
  ]);
  return { pod, node, netns: lab.place.path(podMember(pod)), from, to, tcp, udp };
}

/** The server's address of the family of this one. */
export function serverLike({ topology }: Lab, address: string): string {
  const to = topology.server.find((one) => isV6(one) === isV6(address));
  return present(to, "the server's address");
}
