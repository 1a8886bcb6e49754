// Pods that cannot wait: their sockets are open before their network is, so the first packet leaves
// in the moment that the CNI plugin makes it possible. They go on until the server has answered.

import { setTimeout as sleep } from "node:timers/promises";
import { podMember } from "../../src/apps/lab/place.ts";
import { announcePod, wirePod } from "../../src/apps/lab/pods.ts";
import { SERVER_PORT } from "../../src/apps/lab/topology.ts";
import { runCommand } from "../../src/drivers/kernel/command.ts";
import { present } from "../../src/lib/assert.ts";
import type { Lab } from "./live-lab.ts";
import { until } from "./live-lab.ts";
import type { SocketKind } from "./netns-socket.ts";
import { NetnsSocket } from "./netns-socket.ts";
import { icmpBytes } from "./segments.ts";

const TICK_MS = 2;
/** So many ticks a pod sends as fast as it can, then every so often. */
const HASTY_TICKS = 200;
const PATIENT_TICKS = 50;
/** How late the last pod's object comes. */
const LATE_MS = 5000;

export class RestlessPod {
  readonly name: string;
  /** Packets that left its sockets. */
  sent = 0;
  /** Address of the server -> the source address that it saw. */
  readonly answers = new Map<string, string>();
  readonly #open: (kind: SocketKind, to: string) => NetnsSocket;
  readonly #udp: ReadonlyMap<string, NetnsSocket>;
  readonly #icmp: ReadonlyMap<string, NetnsSocket>;
  #connecting: NetnsSocket[] = [];
  #ticks = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Of a namespace that exists. */
  constructor({ place, topology }: Lab, name: string) {
    this.name = name;
    const netns = place.path(podMember(name));
    this.#open = (kind, to) => new NetnsSocket({ netns, kind, to, port: SERVER_PORT });
    this.#udp = new Map(topology.server.map((to) => [to, this.#open("udp", to)]));
    this.#icmp = new Map(topology.server.map((to) => [to, this.#open("icmp", to)]));
  }

  begin(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get isAnswered(): boolean {
    return this.answers.size === this.#udp.size;
  }

  /** May be called again. */
  end(): void {
    clearInterval(this.#timer);
    for (const one of [...this.#udp.values(), ...this.#icmp.values(), ...this.#connecting]) {
      one.close();
    }
    this.#connecting = [];
  }

  #tick(): void {
    if (this.#ticks++ > HASTY_TICKS && this.#ticks % PATIENT_TICKS !== 0) return;
    for (const one of this.#connecting) one.close();
    this.#connecting = [...this.#udp.keys()].map((to) => this.#open("tcp", to));
    for (const tcp of this.#connecting) this.#count(tcp.connect());
    for (const [to, icmp] of this.#icmp) this.#count(icmp.send(this.#echo(to)));
    for (const [to, udp] of this.#udp) {
      this.#count(udp.send(Buffer.from("restless")));
      const answer = udp.receive()?.toString("latin1").split(" ")[0];
      if (answer !== undefined) this.answers.set(to, answer);
    }
    if (this.isAnswered) this.end();
  }

  /** The kernel puts the source address in; of IPv6 the checksum too. */
  #echo(to: string): Buffer {
    return icmpBytes({ from: to, to, type: "echo", identifier: this.#ticks & 0xffff });
  }

  #count(error: string | undefined): void {
    if (error === undefined || error === "EINPROGRESS") this.sent++;
  }
}

export interface Starts {
  /** The pods are called `NAME-1` and so on. */
  readonly name: string;
  readonly count: number;
  /** By turns. */
  readonly nodes: readonly string[];
  /** Told when half of the pods are wired. */
  readonly onHalf?: () => void;
}

/**
 * Starts pods as kubelets would, one after the other on each node; each sends at once, its object
 * comes 0 to 5 s later. Returns when all are known; they go on sending.
 */
export async function startPods(
  lab: Lab,
  { name, count, nodes, onHalf }: Starts,
): Promise<RestlessPod[]> {
  const { place, topology } = lab;
  const names = Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
  const lines = names.map((one) => `netns add ${place.namespace(podMember(one))}\n`);
  await runCommand("ip", ["-batch", "-"], { input: lines.join(""), target: "namespaces of pods" });
  const pods = names.map((one) => new RestlessPod(lab, one));
  const announced: Promise<unknown>[] = [];
  let wired = 0;
  await Promise.all(
    nodes.map(async (nodeName, first) => {
      const node = topology.nodes.find((one) => one.name === nodeName);
      for (let i = first; i < count; i += nodes.length) {
        pods[i]?.begin();
        const at = { name: names[i] as string, node: present(node, nodeName) };
        const pod = await wirePod(lab, at);
        const lateMs = count === 1 ? 0 : (LATE_MS * i) / (count - 1);
        announced.push(sleep(lateMs).then(() => announcePod(place, pod)));
        if (++wired === Math.ceil(count / 2)) onHalf?.();
      }
    }),
  );
  await Promise.all(announced);
  return pods;
}

/** Waits until the server has answered every pod in every family, and ends them. */
export async function untilAnswered(pods: readonly RestlessPod[]): Promise<void> {
  try {
    await until(() => pods.every(({ isAnswered }) => isAnswered), "answers for every pod");
  } finally {
    for (const pod of pods) pod.end();
  }
}
